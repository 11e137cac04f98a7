"use strict";
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const headings = [...table.tHead.rows[0].cells];
  const said = table.parentElement.nextElementSibling;
  headings.forEach((heading, column) => {
    const name = heading.textContent.trim();
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const before = heading.getAttribute("aria-sort");
      const first = heading.dataset.first;
      const second = first === "ascending" ? "descending" : "ascending";
      const order = before === first ? second : first;
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const numeric = heading.classList.contains("number");
      const key = (row) => row.cells[column].dataset.order;
      const compared = (one, other) => {
        const [a, b] = [key(one), key(other)];
        if (a === "" || b === "") return (a === "") - (b === "");
        return sign * (numeric ? a - b : a.localeCompare(b, undefined, { numeric: true }));
      };
      const body = table.tBodies[0];
      body.append(...[...body.rows].sort(compared));
      said.textContent = `Sorted by ${name}, ${order}.`;
    });
  });
}
