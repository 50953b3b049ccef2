"""`nox` checks everything: every backend, style, types, examples, the README and the wheel.

Each session installs what it needs. `nox -s "tests(numpy)"` runs one of them; arguments after `--` go to
pytest. Slow sessions run only by name: `nox -s mutants` finds faults that the tests would miss, `nox -s
faults` injects many more faults, `nox -s reproduce` writes the book's results.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
import tarfile
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).parent))

from backends import backend_names
from backends.cupy.driver import cuda_version, cupy_extra

nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_missing_interpreters = True

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Matrix products in the tests are so small that threads would only wait for each other."""

GROUPS = nox.project.load_toml("pyproject.toml")
TORCH = "torch==2.13.0"
EMULATED = "cupy-emulated"
ON_JAX = ("backends", "layers/test_gradients.py", "losses", "networks", "optimizers", "training")
"""The tests that run on JAX by default, which compiles each operation: all take 20 minutes of a CPU."""
LARGEST_WHEEL = 15_000_000  # bytes


def group(name: str) -> tuple[str, ...]:
    """The requirements of a dependency group."""
    return nox.project.dependency_groups(GROUPS, name)


def workers(session: nox.Session, backend: str = "numpy") -> tuple[str, ...]:
    """Options for one process per CPU, unless other options are given or the tests share one GPU."""
    return () if session.posargs or backend == "cupy" else ("-n", "auto")


@nox.session
@nox.parametrize("backend", [nox.param(name, id=name) for name in (*backend_names(), EMULATED)])
def tests(session: nox.Session, backend: str) -> None:
    """The tests on one backend; with NumPy, also those that need no backend.

    `cupy-emulated` is CuPy on an emulated GPU, if CUPY_EMULATOR names the folder of the emulator. On JAX a
    part runs; for all: `nox -s "tests(jax)" -- -n auto tests`.
    """
    package = "."
    asked = re.search(r"--backend[ =](\w+)", " ".join(session.posargs))
    if asked and asked[1] != backend:
        session.skip(f"asked for {asked[1]}")
    if backend == EMULATED:
        emulated_tests(session)
        return
    if backend == "cupy":
        driver = cuda_version()
        if driver is None and not asked:
            session.skip("no NVIDIA driver on this machine (demand it with: -- --backend cupy)")
        if driver is not None:
            package = f".[{cupy_extra(driver)}]"
    if backend == "torch":
        session.install(TORCH)
    if backend == "jax":
        package = ".[jax]"
    session.install(package, *group("tests"))
    chosen = ("--backend", backend) if not asked else ()
    on_jax = backend == "jax"
    env = {**ONE_THREAD, **(compiled_by_jax(session) if on_jax else {})}
    which = [f"tests/{part}" for part in ON_JAX] if on_jax and not session.posargs else session.posargs
    session.run("pytest", *chosen, *workers(session, backend), *which, env=env)


def compiled_by_jax(session: nox.Session) -> dict[str, str]:
    """Where JAX keeps what it compiles, for the processes of a session and the next one."""
    return {
        "JAX_COMPILATION_CACHE_DIR": str(Path(session.cache_dir).resolve() / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def emulator(session: nox.Session) -> tuple[Path, tuple[str, str]]:
    """The folder of the emulator, and the option that names its environment; skips without one."""
    folder = os.environ.get("CUPY_EMULATOR")
    if not folder:
        session.skip("no emulator of a GPU (name its folder, with setup.sh and run.sh, in CUPY_EMULATOR)")
    environment = os.environ.get("CUPY_EMULATOR_VENV") or str(Path(session.cache_dir) / EMULATED)
    return Path(folder).resolve(), ("--venv", environment)


def emulated_log(session: nox.Session) -> str:
    """The folder for what the emulator reports, and for the sources of the kernels."""
    return str(Path(session.cache_dir) / f"{EMULATED}-log")


def emulated_tests(session: nox.Session) -> None:
    """The tests of CuPy on one emulated GPU, and those of several devices on two."""
    folder, venv = emulator(session)
    session.run(str(folder / "setup.sh"), venv[1], external=True)
    needed = (*GROUPS["project"]["dependencies"], *group("tests"), "mpi4py", "mpich")
    python = str(Path(venv[1]) / "bin" / "python")
    session.run(python, "-m", "pip", "install", "--quiet", *needed, external=True, silent=True)

    def run(log: str, *arguments: str, devices: int) -> None:
        command = (str(folder / "run.sh"), *venv, "--log", log, "pytest", "-p", "no:cacheprovider")
        env = {**ONE_THREAD, "PYTHONPATH": str(Path.cwd()), "CUPY_EMULATOR_DEVICES": str(devices)}
        session.run(*command, *workers(session), *arguments, env=env, external=True)

    run(emulated_log(session), *session.posargs, devices=1)
    if not session.posargs:
        run(session.create_tmp(), "tests/backends/cupy", devices=2)


@nox.session(default=False)
def nvrtc(session: nox.Session) -> None:
    """NVIDIA's compiler takes every kernel of the last `tests(cupy-emulated)`, for sm_80 and sm_90."""
    folder, venv = emulator(session)
    if not (Path(emulated_log(session)) / "sources").is_dir():
        session.skip('no kernels to compile: run nox -s "tests(cupy-emulated)" first')
    session.run(str(folder / "nvrtc-check"), *venv, emulated_log(session), external=True)


@nox.session
def mpi(session: nox.Session) -> None:
    """The tests of several processes, with the MPI library MPICH."""
    session.install(".[mpi]", "mpich", *group("tests"))
    session.run("pytest", "--backend", "numpy", "tests/mpi", *session.posargs, env=ONE_THREAD)


@nox.session
def lowest(session: nox.Session) -> None:
    """The tests with the oldest versions of the dependencies that pyproject.toml allows."""
    if sys.version_info >= (3, 14):
        session.skip("NumPy 2.1 has no wheels for this Python")
    pinned = [requirement.replace(">=", "==") for requirement in GROUPS["project"]["dependencies"]]
    session.install(*pinned, ".", *group("tests"))
    session.run("pytest", "--backend", "numpy", *workers(session), *session.posargs, env=ONE_THREAD)


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: the rules and the format."""
    session.install(*group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy, strict."""
    session.install(".", *group("types"))
    session.run("mypy")


@nox.session
def examples(session: nox.Session) -> None:
    """Run every example, those of the book with --quick."""
    session.install(".[plots]", "jax", "scipy", "ndonnx", "onnxruntime")
    folder = session.create_tmp()
    for example in sorted(Path("examples").glob("[!_]*.py")):
        quick = (
            ("--quick", "--out", folder) if "from _common import Page" in example.read_text("utf-8") else ()
        )
        session.run("python", "-W", "error", str(example), *quick, env=ONE_THREAD)


@nox.session(default=False)
def reproduce(session: nox.Session) -> None:
    """docs/reproduction.md: the book's results compared with ours. `-- --quick` takes seconds per page."""
    session.install(".[plots]")
    session.run("python", "examples/_reproduce.py", *session.posargs, env=ONE_THREAD)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """The benchmarks run, and the contenders that need only NumPy reach the same loss. Times are ignored."""
    session.install(".")

    def results(workloads: str, only: str) -> list[dict[str, dict[str, float]]]:
        arguments = ("--workload", workloads, "--rounds", "2", "--burst", "0.02", "--only", only, "--json")
        printed = session.run("python", "-m", "benchmarks", *arguments, silent=True) or ""
        return [json.loads(line)["results"] for line in printed.splitlines()]

    for measured in results("W1,W2", "floor:numpy,handwritten:numpy,ours:fit"):
        losses = [measured[name]["loss"] for name in ("handwritten:numpy", "ours:fit")]
        if abs(losses[0] - losses[1]) > 1e-3 * losses[0]:
            session.error(f"the same network, but losses {losses}")
    for measured, most in zip(results("W3,W4", "floor:numpy,handwritten:numpy"), (0.6, 0.25), strict=True):
        if not measured["handwritten:numpy"]["loss"] < most:
            session.error(f"expected a loss below {most}, got {measured}")


@nox.session
def check(session: nox.Session) -> None:
    """`backprop check` for ten seeds: all entries for the first, 60 of each array for the others."""
    session.install(".")
    for seed in range(10):
        every = () if seed == 0 else ("--elements", "60")
        session.run("backprop", "check", "--seed", str(seed), *every, silent=True, env=ONE_THREAD)


@nox.session(default=False)
def gradients(session: nox.Session) -> None:
    """docs/gradients.md: the worst relative error of every layer, loss and network on every backend."""
    session.install(TORCH, ".[jax]", "array-api-strict")
    worst: dict[str, dict[str, float]] = {}
    devices = [name for name in backend_names() if name != "cupy" or cuda_version() is not None]
    for device in devices:
        elements = () if device in ("numpy", "cupy") else ("--elements", "500")
        check = ("backprop", "check", "--device", device, *elements, "--json")
        printed = session.run(*check, silent=True, env=ONE_THREAD) or ""
        for report in json.loads(printed)["reports"]:
            errors = [entry["error"] for entry in report["entries"]]
            worst.setdefault(report["subject"], {})[device] = max(errors)
    lines = [
        "# Gradients\n",
        "The worst relative error of any entry of any gradient against extrapolated differences in float64.",
        "Entries below a hundredth of their array's largest count as that large. Up to 1e-7 passes, or up to",
        "ten times the estimated error of the difference. All entries; on strict, torch and jax, 500 of",
        "an array.",
        f"Written by `nox -s gradients` on {processor()}.\n",
        f"| | {' | '.join(devices)} |",
        f"|---|{'---|' * len(devices)}",
        *(f"| {name} | {' | '.join(f'{row[d]:.1e}' for d in devices)} |" for name, row in worst.items()),
    ]
    Path("docs/gradients.md").write_text("\n".join([*lines, ""]), "utf-8")


def processor() -> str:
    """The CPU's name and its widest vectors, on which the last bits of sums depend."""
    try:
        facts = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    name = re.search(r"model name\s*:\s*(.*)", facts)
    vectors = next((known for known in ("avx512f", "avx2") if known in facts), "no AVX2")
    return f"{name[1] if name else platform.machine()} ({vectors})"


@nox.session
def readme(session: nox.Session) -> None:
    """Run the commands and Python code in the README, except those that need a GPU or start nox."""
    session.install(".[plots]")
    text = Path("README.md").read_text("utf-8")
    for language, block in re.findall(r"```(console|python)\n(.*?)```", text, re.DOTALL):
        if language == "python":
            session.run("python", "-W", "error", "-c", block)
            continue
        for line in re.findall(r"^\$ (.*)$", block, re.MULTILINE):
            for command in line.split(" && "):
                if not re.search(r"\bpip\b|\bnox\b|gpu|cuda", command):
                    session.run("bash", "-e", "-c", command, external=True)


@nox.session
def notebook(session: nox.Session) -> None:
    """Execute a notebook with a kernel of Jupyter's, and look at what its cells hold afterwards."""
    session.install(".[plots]", *group("tests"), *group("notebook"))
    session.run("pytest", "--backend", "numpy", "tests/test_notebook.py", *session.posargs, env=ONE_THREAD)


@nox.session
def package(session: nox.Session) -> None:
    """The wheel is small and has all of MNIST; the source distribution has all tracked files."""
    folder = session.create_tmp()
    session.install("build")
    session.run("python", "-m", "build", "--sdist", "--outdir", folder, ".", silent=True)
    (source,) = Path(folder).glob("*.tar.gz")
    with tarfile.open(source) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()} - {"PKG-INFO"}
    tracked = session.run("git", "ls-files", "-z", external=True, silent=True) or ""
    expected = {name for name in tracked.split("\0") if name and not name.startswith(".ci/")}
    if held != expected:
        session.error(
            f"{source.name}: expected the tracked files, but these differ: {sorted(held ^ expected)}"
        )
    session.run("pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ".")
    (wheel,) = Path(folder).glob("*.whl")
    size = wheel.stat().st_size
    session.log(f"{wheel.name}: {size / 1e6:.1f} MB")
    if size > LARGEST_WHEEL:
        session.error(f"the wheel has {size:,} bytes; expected at most {LARGEST_WHEEL:,}")
    session.install("--force-reinstall", str(wheel))
    with session.chdir(folder):
        session.run("python", "-c", "import backprop.datasets as d; assert len(d.mnist().x_train) == 60_000")


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Plant faults with mutmut in every layer, loss and optimizer, and list those that no test notices.

    This takes half an hour on two cores. `-- --quick` plants one fault per function, and
    `-- "backprop.layers.affine*"` only those whose names in `mutants/` match.
    """
    session.install(*GROUPS["project"]["dependencies"], *group("tests"), *group("mutants"))
    session.env.update(ONE_THREAD)
    shutil.rmtree("mutants", ignore_errors=True)
    names = ["*__mutmut_1"] if "--quick" in session.posargs else session.posargs
    session.run("mutmut", "run", *names)
    session.run("python", "tests/mutants.py")


@nox.session(default=False)
def faults(session: nox.Session) -> None:
    """Many more kills, full disks, signals, damaged files and random cases than in the tests.

    The last part, faults in one of several processes, takes an hour.
    """
    session.install(".[mpi]", "mpich", *group("tests"))
    many = {"TEST_KILLS": "200", "TEST_MUTATIONS": "100000", "TEST_FUZZ": "5000", "TEST_NETWORKS": "1000"}
    which = (
        "tests/datasets",
        "tests/saving/test_faults.py",
        "tests/saving/test_checkpoint.py",
        "tests/training/test_resume.py",
        "tests/cli/test_train.py",
        "tests/cli/test_resume.py",
        "tests/cli/test_run_folder.py",
        "tests/cli/test_validation.py",
        "tests/training/test_interrupts.py",
        "tests/training/test_recorder.py",
        "tests/training/test_capture_fuzz.py",
        "tests/gradcheck",
    )
    options = (*workers(session), *session.posargs)
    session.run("pytest", "--backend", "numpy", *which, *options, env={**ONE_THREAD, **many})
    session.run(
        "pytest", "--backend", "numpy", "tests/mpi/test_fault_table.py", *session.posargs,
        env={**ONE_THREAD, "TEST_FAULT_ROUNDS": "30"},
    )  # fmt: skip


@nox.session
def docs(session: nox.Session) -> None:
    """Build the reference of every public module and name from the docstrings, in build/docs."""
    session.install(".", *group("docs"))
    session.run("python", "docs/reference.py", "build/docs")
