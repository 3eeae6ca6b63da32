"""Tables of what was measured."""

import json
import re

from .errors import Failed
from .measure import Figure

FILE, TABLE = "results.json", "TABLE.md"
BEGIN, END = "<!-- figures: begin, written by benches/run --readme -->", "<!-- figures: end -->"


def read(folder):
    try:
        return json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Failed(f"{folder / FILE}: {error}; a folder that --output wrote is needed") from None


def write(folder, record, rows):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / TABLE).write_text(markdown(record, rows), encoding="utf-8")


def number(value):
    """Three significant digits."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:.3f}" if abs(value) < 0.1 else f"{value:.{digits}f}"


def value_of(figure):
    if not figure.values:
        return figure.reason or "–"
    shown = f"{number(figure.median)} {figure.unit}"
    if figure.right is not None and figure.right < 1:
        shown += f" ({100 * figure.right:.3g} % right)" if figure.right < 0.999 else f" ({100 * figure.right:.2f} % right)"
    return shown


def show(figure):
    """One line while it runs."""
    spread = f"  [{number(figure.low)} – {number(figure.high)}] of {len(figure.values)}" if len(figure.values) > 1 else ""
    note = f"  {figure.note}" if figure.note else ""
    print(f"        {figure.variant:32} {figure.actor:40} {value_of(figure)}{spread}{note}", flush=True)


def has_failed(figures, row):
    """Whether Deskhand has no figure in a row, and not because the row is not in this version."""
    ours = [figure for figure in figures if figure.row == row and figure.kind == "deskhand"]
    return not ours or any(figure.reason and not figure.reason.startswith("not in this version") for figure in ours)


def groups(record):
    """Rows and their variants, in the order of the record."""
    found = {}
    for one in record["figures"]:
        found.setdefault((one["row"], one["variant"]), []).append(Figure.from_json(one))
    return found


def ratio(ours, other):
    """How many times as good as another we are; below 1 is worse."""
    if not (ours and other and ours.values and other.values) or not ours.median or not other.median:
        return None
    return other.median / ours.median if ours.better == "less" else ours.median / other.median


def best_peer(figures):
    """The best of those that did what they were asked for: a click that is lost quickly is none."""
    measured = [figure for figure in figures if figure.kind == "peer" and figure.values]
    right = [figure for figure in measured if figure.right is None or figure.right >= 0.99] or measured
    return min(right, key=lambda figure: figure.median if figure.better == "less" else -figure.median, default=None)


def is_reached(goal, ours, limit, peer):
    """Whether a goal holds; `None` where that cannot be told."""
    if ours is None or not ours.values:
        return None
    asked = []
    if goal.at_most is not None:
        asked.append(ours.median <= goal.at_most)
    if goal.right is not None and ours.right is not None:
        asked.append(ours.right >= goal.right)
    if goal.of_limit is not None:
        asked.append(None if limit is None else 1 / ratio(ours, limit) <= goal.of_limit)
    if goal.of_peer is not None:
        asked.append(None if peer is None else ratio(ours, peer) >= goal.of_peer)
    return False if False in asked else None if None in asked else True


def first(figures, kind):
    return next((figure for figure in figures if figure.kind == kind and (figure.values or kind == "deskhand")), None)


def line_of(title, goal, figures):
    ours, limit, peer = first(figures, "deskhand"), first(figures, "limit"), best_peer(figures)
    of_limit, of_peer = ratio(ours, limit), ratio(ours, peer)
    reached = is_reached(goal, ours, limit, peer) if goal else None
    mark = {True: " ✓", False: " ✗", None: ""}[reached]
    cells = [
        title,
        value_of(ours) if ours else "–",
        f"{value_of(limit)} (× {number(1 / of_limit)})" if of_limit else "–",
        f"{peer.actor} {value_of(peer)} (× {number(of_peer)})" if of_peer else "–",
        f"{goal.text}{mark}" if goal else "–",
    ]
    return "| " + " | ".join(cells) + " |"


def short_table(record, rows):
    """The lines that README shows: one a variant that its row gives a title."""
    found, lines = groups(record), []
    for name, row in rows.items():
        for variant, title in row.titles.items():
            if (name, variant) in found:
                lines.append(line_of(title, row.goals.get(variant), found[name, variant]))
    head = "| what | Deskhand | limit here (Deskhand: × of it) | best peer here (Deskhand: × as fast) | goal |\n|---|---|---|---|---|\n"
    return head + "\n".join(lines) + "\n"


def origin(record):
    measured = record["measured"]
    rough = "a quick run, rough, " if record.get("quick") else ""
    return f"{measured['binary']}, {rough}{measured['date']}, {measured['machine']}"


def markdown(record, rows):
    """Every figure of every actor."""
    measured = record["measured"]
    text = f"# Figures\n\n{origin(record)}; load at the beginning {measured['load']:.1f}.\n\n{short_table(record, rows)}\n"
    for (name, variant), figures in groups(record).items():
        text += f"## {name}{': ' + variant if variant else ''}\n\n| | median | 5 % | 95 % | of | Deskhand: × as good | |\n|---|---|---|---|---|---|---|\n"
        ours = first(figures, "deskhand")
        for figure in figures:
            times = ratio(ours, figure) if figure is not ours else None
            if figure.values:
                cells = [value_of(figure), number(figure.low), number(figure.high), str(len(figure.values)), number(times) if times else "", figure.note]
            else:
                cells = ["–", "", "", "", "", figure.reason]
            text += f"| {figure.actor} | " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
        text += "\n"
    if measured["peers"]:
        text += "## Peers\n\n" + "".join(f"- {name}: {version or 'as installed'}\n" for name, version in measured["peers"].items())
    return text


def write_readme(path, record, rows):
    text = path.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise Failed(f"{path.name} needs the lines {BEGIN} and {END} once each")
    # The ways to drive one program have one version.
    known = {name.split(",")[0]: version for name, version in record["measured"]["peers"].items()}
    versions = ", ".join(f"{name} ({version})" for name, version in known.items() if version and not version.startswith("not"))
    block = f"{BEGIN}\nMeasured by `benches/run --readme`: {origin(record)}.\n\n{short_table(record, rows)}"
    block += f"\nPeers: {versions}.\n" if versions else ""
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    path.write_text(pattern.sub(lambda _: block + END, text), encoding="utf-8")
