"""The parts of HTML pages: text, tables, small images, and the style of every page."""
