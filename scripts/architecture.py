"""Measure how much of the code one must know at once: rooms, layers, conditions, sizes.

    python scripts/architecture.py [FOLDER]
    python scripts/architecture.py --draw artifacts/layers.svg

FOLDER holds the package `sentiment`; by default it is the one that this script belongs to. Two versions are
compared by running it on both. The picture of the layers shows what `.importlinter` says of them.
"""

import argparse
import ast
import configparser
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

TASKS = {"multiclass", "ordinal", "multilabel"}
OF_SEVERAL = {"missed_and_added", "cardinality", "confusion_matrices", "thresholds"}  # keys of several labels
OF_GRADES = {"mae"}
MOST_PARAMETERS, MOST_LINES = 7, 80  # of a function


def name_of(node: ast.AST) -> str:
    """Return the last part of a dotted name, or nothing."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def constants(node: ast.AST) -> set[object]:
    """Return the constants that an operand is, or has as elements."""
    elements = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    return {part.value for part in elements if isinstance(part, ast.Constant)}


def asks_task(node: ast.AST) -> bool:
    """Whether an expression asks which task it is: by its name, or by what only one task has."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        values = set().union(*map(constants, sides))
        names = {name_of(side) for side in sides}
        if values & TASKS or "MULTILABEL" in names:
            return True
        if "ndim" in names and any("label" in ast.unparse(side) for side in sides):
            return True
        if isinstance(node.ops[0], ast.Is | ast.IsNot) and "thresholds" in names:
            return True
        return isinstance(node.ops[0], ast.In | ast.NotIn) and bool(values & (OF_SEVERAL | OF_GRADES))
    if isinstance(node, ast.Call):
        return name_of(node.func) in ("several", "ordinal")
    return name_of(node) == "ordinal" or (isinstance(node, ast.Attribute) and node.attr == "several")


def asks_input(node: ast.AST) -> bool:
    """Whether an expression asks if there are texts or features."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        if isinstance(node.ops[0], ast.Is | ast.IsNot):
            return bool({name_of(side) for side in sides} & {"width", "vocab_size"})
        return bool(set().union(*map(constants, sides)) & {"features", "sequences"})
    if isinstance(node, ast.Call) and name_of(node.func) == "isinstance" and len(node.args) == 2:
        what, kind = node.args
        first = isinstance(what, ast.Subscript) or name_of(what) == "text"
        return name_of(kind) in ("Features", "Tokenizer") or (first and name_of(kind) == "str")
    return name_of(node) == "written" or (isinstance(node, ast.Name) and node.id in ("are_texts", "features"))


def tests_of(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the smallest expressions that decide a branch: what is joined by and, or and not is divided."""

    def parts(node: ast.AST) -> Iterator[ast.AST]:
        if isinstance(node, ast.BoolOp):
            for value in node.values:
                yield from parts(value)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield from parts(node.operand)
        else:
            yield node

    for node in ast.walk(tree):
        if isinstance(node, ast.If | ast.IfExp | ast.While | ast.Assert):
            yield from parts(node.test)
        elif isinstance(node, ast.comprehension):
            for test in node.ifs:
                yield from parts(test)
        elif isinstance(node, ast.Assign | ast.Return | ast.keyword | ast.BinOp):
            # A question whose answer is kept, handed over, or multiplied with.
            operands = [node.left, node.right] if isinstance(node, ast.BinOp) else [node.value]
            for operand in operands:
                if isinstance(operand, ast.BoolOp | ast.UnaryOp | ast.Compare | ast.Call):
                    yield from parts(operand)


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    """Yield the functions and methods of a module."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def parameters(function: ast.FunctionDef) -> int:
    """Count what a caller may give; a method's own object is not given."""
    every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return len([argument for argument in every if argument.arg not in ("self", "cls", "ctx")])


def depth(arrows: dict[str, set[str]], room: str, seen: tuple[str, ...] = ()) -> int:
    """Return the floor of a room: one above the highest that it imports."""
    below = [target for target in arrows[room] if target not in seen]
    return 1 + max((depth(arrows, target, (*seen, room)) for target in below), default=0)


def imports(tree: ast.AST, rooms: set[str]) -> set[str]:
    """Return the rooms that a module imports from."""
    targets = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sentiment":
            for alias in node.names:
                path = [*node.module.split(".")[1:], alias.name]
                targets |= {path[0]} & rooms
    return targets


def measure(folder: Path) -> dict[str, object]:
    """Return the measures by name."""
    package = folder / "sentiment"
    files = {path.relative_to(package).as_posix(): path for path in sorted(package.rglob("*.py"))}
    texts = {name: path.read_text("utf-8") for name, path in files.items()}
    trees = {name: ast.parse(text) for name, text in texts.items()}
    faces = {"__init__", *(name.removesuffix(".py") for name in files if not any(functions(trees[name])))}
    rooms = {name.split("/")[0].removesuffix(".py") for name in files} - faces
    arrows: dict[str, set[str]] = {room: set() for room in rooms}
    for name, tree in trees.items():
        room = name.split("/")[0].removesuffix(".py")
        if room in rooms:
            arrows[room] |= imports(tree, rooms) - {room}
    counts = {
        kind: {name: sum(map(asks, tests_of(tree))) for name, tree in trees.items()}
        for kind, asks in (("task", asks_task), ("input", asks_input))
    }
    every = [(name, function) for name, tree in trees.items() for function in functions(tree)]
    wide = [f"{name}:{f.name} {parameters(f)}" for name, f in every if parameters(f) > MOST_PARAMETERS]
    long = [
        f"{name}:{f.name} {f.end_lineno - f.lineno + 1}"
        for name, f in every
        if (f.end_lineno or 0) - f.lineno + 1 > MOST_LINES
    ]
    sizes = {name: len(text.splitlines()) for name, text in texts.items()}
    real = [size for name, size in sizes.items() if size > 20 or not name.endswith("__init__.py")]
    longest = max(sizes, key=sizes.__getitem__)
    measured: dict[str, object] = {
        "rooms": len(rooms),
        "layers": max(depth(arrows, room) for room in rooms),
        "arrows between rooms": sum(map(len, arrows.values())),
    }
    for kind, by_module in counts.items():
        asking = sum(count > 0 for count in by_module.values())
        measured[f"conditions on the {kind}"] = f"{sum(by_module.values())} in {asking} modules"
    return measured | {
        "dict[str, Any]": sum(len(re.findall(r"dict\[str, Any\]", text)) for text in texts.values()),
        "modules": len(files),
        "lines": sum(sizes.values()),
        "lines of a module, median": statistics.median(real),
        "longest module": f"{longest}, {sizes[longest]}",
        "modules over 350 lines": [name for name, size in sizes.items() if size > 350],
        f"functions over {MOST_PARAMETERS} parameters": wide,
        f"functions over {MOST_LINES} lines": long,
        "by module": counts,
    }


def layers(folder: Path) -> list[list[str]]:
    """Return the rooms of each layer, from the top."""
    contracts = configparser.ConfigParser()
    contracts.read(folder / ".importlinter", "utf-8")
    lines = contracts["importlinter:contract:layers"]["layers"].split("\n")
    return [line.split(" | ") for line in lines if line]


def draw(folder: Path) -> str:
    """Return the layers as SVG: a box a room, with the first sentence of its docstring."""
    width, height, gap, top = 760, 46, 10, 10
    parts, y = [], top
    for rooms in layers(folder):
        wide = (width - 2 * gap - gap * (len(rooms) - 1)) // len(rooms)
        for number, room in enumerate(rooms):
            tree = ast.parse((folder / "sentiment" / room / "__init__.py").read_text("utf-8"))
            says = (ast.get_docstring(tree) or "").split("\n")[0].removesuffix(".").replace("&", "&amp;")
            x = gap + number * (wide + gap)
            parts.append(
                f'<rect x="{x}" y="{y}" width="{wide}" height="{height}" rx="6" fill="#eef3f8" '
                f'stroke="#7a94ad"/>'
                f'<text x="{x + 12}" y="{y + 19}" font-weight="bold" fill="#1f3b57">{room}</text>'
                f'<text x="{x + 12}" y="{y + 37}" font-size="12" fill="#33475b">{says}</text>'
            )
        y += height + gap
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" font-family="sans-serif" '
        f'font-size="14" role="img" aria-label="The layers of the package">\n'
        f'<rect width="{width}" height="{y}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def main() -> None:
    """Print the measures, or draw the layers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parents[1])
    parser.add_argument("--modules", action="store_true", help="the conditions of each module too")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="draw the layers instead")
    arguments = parser.parse_args()
    if arguments.draw:
        arguments.draw.write_text(draw(arguments.folder), "utf-8")
        return
    measured = measure(arguments.folder)
    by_module = measured.pop("by module")
    for name, value in measured.items():
        if isinstance(value, list):
            print(f"{name}: {len(value)}", *value, sep="\n  ")
        else:
            print(f"{name}: {value}")
    if arguments.modules and isinstance(by_module, dict):
        for kind, counts in by_module.items():
            print(kind, {name: count for name, count in counts.items() if count})


if __name__ == "__main__":
    main()
