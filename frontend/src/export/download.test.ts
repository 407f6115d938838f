import { expect, it } from "vitest";

import { exportName, reportName } from "./download";

const now = new Date(2026, 0, 5, 9, 3, 7);

it("a worklist's name holds the time, and nothing of what is in it", () => {
  expect(exportName("worklist", "csv", now)).toBe("healer-worklist-2026-01-05-090307.csv");
});

it("no name is given twice", () => {
  expect(exportName("worklist", "json", now)).toBe("healer-worklist-2026-01-05-090307.json");
  expect(exportName("worklist", "json", now)).toBe("healer-worklist-2026-01-05-090307-2.json");
  expect(reportName("a.png", "1", now)).not.toBe(reportName("a.png", "1", now));
});

it("reports of two tiles of one name, made within a second, have different names", () => {
  const names = ["fcbf72d877974ac4", "0123456789abcdef"].map((request) =>
    reportName("tile.png", request, now),
  );
  expect(names).toEqual([
    "healer-report-tile-2026-01-05-090307-fcbf72d8.pdf",
    "healer-report-tile-2026-01-05-090307-01234567.pdf",
  ]);
});

it.each([
  ["case 1/S-2024_B2.tif", "case_1_S-2024_B2"],
  ["..\\..\\a:b*c?.png", "a_b_c"],
  ["=HYPERLINK(x)\u202e.png", "=HYPERLINK(x)"],
  ["Ψηφίδα.jpeg", "Ψηφίδα"],
  [`${"a".repeat(200)}-last.png`, `${"a".repeat(75)}-last`],
  ["no extension here", "no_extension_here"],
])("the report of %j is named so that every file system takes it", (name, part) => {
  expect(reportName(name, "f", new Date(2026, 0, 5, 9, 3, 8))).toBe(
    `healer-report-${part}-2026-01-05-090308-f.pdf`,
  );
});
