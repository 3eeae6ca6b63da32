"""The Markdown page that the cells become."""

import collections
import statistics

from scenarios import GROUPS, SCENARIOS
from ways import WAYS


def of_hundred(numbers, share):
    """The value that so many of a hundred do not exceed."""
    ordered = sorted(numbers)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))]


def times(numbers):
    return f"{statistics.median(numbers):,.0f} / {of_hundred(numbers, 95):,.0f}" if numbers else "–"


def span(numbers):
    return f"{min(numbers)} to {max(numbers)}" if min(numbers) < max(numbers) else f"{min(numbers)}"


def percentage(part, whole):
    if not whole:
        return "–"
    text = f"{100 * part / whole:.1f} %".replace(".0 %", " %")
    return f"{text} of {whole}"


def shown(cell):
    """`right/trials`, and for the right ones the median time beyond; where nothing happens that is all of the answer's time."""
    head = f"{sum(cell.right)}/{cell.trials}"
    if sum(cell.right) < cell.trials:
        head = f"**{head}**"
    return f"{head} · {statistics.median(cell.beyond):,.0f}" if cell.beyond else head


def row_of(cells):
    return "| " + " | ".join(cells) + " |"


def origins(cells):
    """What measured how many of them: the same for all, unless the page is made of several runs."""
    lines = []
    for name in dict.fromkeys(name for cell in cells for name in cell.measured):
        counts = collections.Counter(cell.measured.get(name, "not written down") for cell in cells)
        values = [f"{value} ({count} of {len(cells)} cells)" if len(counts) > 1 else value for value, count in counts.items()]
        lines.append(f"- {name}: {'; '.join(values)}")
    trials = sorted({cell.trials for cell in cells})
    loads = [load for cell in cells for load in cell.load]
    if loads:
        lines.append(f"- load average during the trials: median {statistics.median(loads):.1f}, {min(loads):.1f} to {max(loads):.1f}")
    apart = [done - said for cell in cells for done, said in zip(cell.done, cell.said) if said is not None]
    if apart:
        lines.append(
            f"- the screen was right {statistics.median(apart):+.0f} ms after the application's own account of its end "
            f"(median of {len(apart)}; 90 of 100 between {of_hundred(apart, 5):+.0f} and {of_hundred(apart, 95):+.0f})"
        )
    return [*lines, f"- trials of each cell: {trials[0]}" + (f" to {trials[-1]}" if len(trials) > 1 else "")]


def summary(cells):
    """One line a way: share right for each group, and how long it took."""
    heads = ["", *(f"right: {group}" for group in GROUPS), "beyond: evidence", "beyond: gaps", "until answered: nothing", "reasons", "wrong and told so", "right and told otherwise"]
    lines = [row_of(heads), "|---" * len(heads) + "|"]
    for way in WAYS:
        ours = [cell for cell in cells if cell.way == way]
        if not ours:
            continue
        groups = {group: [cell for cell in ours if SCENARIOS[cell.scenario].group == group] for group in GROUPS}
        right = [percentage(sum(sum(cell.right) for cell in group), sum(cell.trials for cell in group)) for group in groups.values()]
        beyond = {name: [one for cell in group for one in cell.beyond] for name, group in groups.items()}
        answers = [one for cell in groups["nothing"] for one in cell.answer]
        reasons = collections.Counter(reason for cell in ours for reason in cell.reasons if reason)
        known = [(was, told) for cell in ours for was, told in zip(cell.right, cell.told) if told is not None]
        told = {right: [told for was, told in known if was == right] for right in (True, False)}
        lines.append(row_of([
            f"`{way}`", *right, times(beyond["evidence"]), times(beyond["gaps"]), times(answers),
            ", ".join(f"{reason} {count}" for reason, count in reasons.most_common()) or "–",
            percentage(sum(told[False]), len(told[False])), percentage(sum(told[True]), len(told[True])),
        ]))  # fmt: skip
    return lines


def group_table(group, cells):
    ways = [way for way in WAYS if any(cell.way == way for cell in cells)]
    lines = [row_of(["scenario", "what it is", "own time", *(f"`{way}`" for way in ways)]), "|---" * (len(ways) + 3) + "|"]
    for name in dict.fromkeys(cell.scenario for cell in cells):
        found = {cell.way: cell for cell in cells if cell.scenario == name}
        done = [one for cell in found.values() for one in cell.done]
        own = f"{statistics.median(done):,.0f}" if done else "–"
        lines.append(row_of([name, SCENARIOS[name].meaning, own, *(shown(found[way]) if way in found else "" for way in ways)]))
    return [f"## Where it {GROUPS[group]}" if group == "evidence" else f"## {GROUPS[group].capitalize()}", "", *lines, ""]


def wrong(cells):
    """What the answers of Deskhand's own judgement that were wrong have in common."""
    lines = []
    for cell in cells:
        tiles = [count for count, right in zip(cell.wrong_tiles, cell.right) if not right]
        if tiles and any(cell.reasons):
            early = [round(done - answer) for done, answer, right in zip(cell.done, cell.answer, cell.right) if not right]
            reasons = collections.Counter(reason for reason, right in zip(cell.reasons, cell.right) if not right)
            lines.append(
                f"- {cell.scenario}, `{cell.way}`: {len(tiles)} of {cell.trials}, {span(tiles)} tiles of 16×16 pixels, "
                f"answered {span(early)} ms before the end as {', '.join(reasons)}"
            )
    return ["## Answers that were wrong", "", *lines, ""] if lines else []


def markdown(cells, remarks):
    lines = ["# The right picture after an action", "", "Written by `tests/settle/run`; `README.md` beside this page says what each word means.", ""]
    lines += [*origins(cells), *(f"- {remark}" for remark in remarks), "", "## All of it", "", "Times in milliseconds, median / 95 of 100.", "", *summary(cells), ""]
    lines += ["Below: right/trials · median of the milliseconds beyond the application's own time, where nothing happens until the answer.", ""]
    for group in GROUPS:
        ours = [cell for cell in cells if SCENARIOS[cell.scenario].group == group]
        if ours:
            lines += group_table(group, ours)
    lines += wrong(cells)
    useless = collections.Counter((cell.scenario, why) for cell in cells for why in cell.useless)
    if useless:
        lines += ["## Trials that were thrown away", "", *(f"- {name}: {why} ({count})" for (name, why), count in useless.items()), ""]
    return "\n".join(lines)
