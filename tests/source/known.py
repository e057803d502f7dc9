"""Where the house is not in order yet, with the present sizes. Entries may only shrink: `test_house` says when."""

# Files that import each other in a circle, named by the first of them; the number of files.
CIRCLES: dict[str, int] = {}

# Folders with more than 20 files.
FOLDERS: dict[str, int] = {}

# Files of more than 350 lines.
FILES: dict[str, int] = {}

# Functions of more than 50 lines without their docstring.
FUNCTIONS: dict[str, int] = {}

# Functions, other than public verbs, with more than 7 parameters.
PARAMETERS: dict[str, int] = {
    "engine.attribution._attribution.attribution_scores": 9,
    "engine.passes._rows.capture_rows": 9,
    "engine.passes._rows.run_rows": 8,
    "engine.plan._shapes.shape_of": 8,
    "inference.power._simulated_power.simulated_power": 10,
}

# Imports from private modules of another package: "importing package -> that package", and how many.
PRIVATE: dict[str, int] = {}
