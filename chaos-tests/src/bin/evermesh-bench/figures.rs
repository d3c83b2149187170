use comfy_table::{CellAlignment, Row, Table, presets};

/// A table of rows that begin with so many names; the others are figures.
pub fn table<const N: usize>(
    header: [&str; N],
    names: usize,
    rows: impl IntoIterator<Item: Into<Row>>,
) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(header);
    table.add_rows(rows);
    for column in table.column_iter_mut().skip(names) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
