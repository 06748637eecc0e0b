"use strict";
// Tables that sort by any column.

// A column: key, title, description, cell(row) -> node or text, and rank(row) -> number or text to
// sort by, null last; optional: kind (class of its cells), upright (a narrow column), group (named
// above it), attributes.

/** The columns' row of headings; each is a button that sorts. */
function headings(columns, sort, onSort) {
  return element("tr", {}, columns.map(column => {
    const direction = sort === column.key ? "ascending" : sort === `-${column.key}` ? "descending" : null;
    // numbers are wanted largest first; what the column says decides
    const next = direction === null ? (column.first ?? "") + column.key
      : direction === "descending" ? column.key : `-${column.key}`;
    return element("th", {scope: "col", "aria-sort": direction, class: [column.kind ?? "",
      column.upright ? "upright" : "", column.begins ? "begins" : ""].join(" ")},
    element("button", {type: "button", title: column.description ?? column.title,
      "data-sort": column.key, click: () => onSort(next)}, column.title));
  }));
}

/** The row above the headings, with the names of groups of columns; none where there are none. */
function groupHeadings(columns) {
  const runs = [];
  for (const column of columns) {
    const last = runs[runs.length - 1];
    if (last && last.group === column.group) last.n += 1;
    else runs.push({group: column.group, n: 1});
  }
  if (runs.length < 2) return null;
  return element("tr", {class: "groups"}, runs.map(run => run.group === undefined
    ? element("td", {colspan: run.n})
    : element("th", {colspan: run.n, scope: "colgroup", class: "begins"},
      element("span", {title: run.group}, run.group))));
}

/** Rows in the order of a column; as they came where no column has the key. */
function sorted(rows, columns, sort) {
  const isDown = sort.startsWith("-");
  const column = columns.find(one => one.key === (isDown ? sort.slice(1) : sort));
  if (!column) return rows;
  const ranked = rows.map(row => [column.rank(row), row]);
  const compare = ([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null);
    const order = typeof a === "string" ? a.localeCompare(b) : a - b;
    return isDown ? -order : order;
  };
  return ranked.sort(compare).map(([, row]) => row);
}

/** A table of rows; `group(row)` gives the heading of the rows from there on, or null. */
function table(columns, rows, {sort = "", onSort = () => {}, group = () => null, above = null,
  isCurrent = () => false, name} = {}) {
  const body = element("tbody");
  for (const row of rows) {
    const heading = group(row);
    if (heading) {
      body.append(element("tr", {class: "group"},
        element("th", {colspan: columns.length, scope: "rowgroup"}, heading)));
    }
    body.append(element("tr", {"aria-current": isCurrent(row) ? "true" : null},
      columns.map((column, i) => {
        const attributes = column.attributes?.(row) ?? {};
        const names = [column.kind, column.begins ? "begins" : "", attributes.class];
        return element(i ? "td" : "th", {scope: i ? null : "row", ...attributes,
          class: names.filter(Boolean).join(" ") || null}, column.cell(row));
      })));
  }
  const head = element("thead", {}, above, headings(columns, sort, onSort));
  return element("table", {"aria-label": name, class: "sortable"}, head, body);
}
