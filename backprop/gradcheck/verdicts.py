"""The verdicts on a gradient."""

PASSED, FAILED, UNRESOLVED, WRONG_ABOVE = "passed", "FAILED", "unresolved", "wrong above"
