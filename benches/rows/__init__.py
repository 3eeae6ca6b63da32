"""Every row, in the order of the table."""

from . import clicks, matrix, mixed, observe, resources, screenshots, streaming, throughput, typing, wire

ROWS = {
    row.name: row
    for row in (
        screenshots.Unchanged,
        screenshots.SmallChange,
        screenshots.AllChanged,
        clicks.Click,
        clicks.ClickManaged,
        typing.Fifty,
        mixed.Mixed,
        observe.Observe,
        resources.Memory,
        resources.Binary,
        resources.Attach,
        resources.Desktops,
        clicks.Batch,
        throughput.Throughput,
        wire.Wire,
        streaming.Streaming,
        matrix.Matrix,
    )
}
