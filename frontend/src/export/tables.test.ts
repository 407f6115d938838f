import { describe, expect, it } from "vitest";

import type { Item } from "../session/item";
import { nameFor } from "./save";
import { toCsv, toJson } from "./tables";

const item = (name: string, note = ""): Item => ({
  id: "1", name, file: new Blob(), phase: { is: "cancelled" }, explanation: "", losses: 0, resends: 0, review: { mark: "agree", note },
});

describe("CSV", () => {
  it("begins with the mark of UTF-8 and ends its lines as RFC 4180 says", async () => {
    const bytes = new Uint8Array(await toCsv([item("ä.png")]).arrayBuffer());
    expect([...bytes.slice(0, 3)]).toEqual([0xef, 0xbb, 0xbf]);
    expect(new TextDecoder().decode(bytes)).toMatch(/request_id\r\nä\.png,.*,cancelled,agree,.*\r\n$/);
  });

  it.each(["=1+1", "+1", "-1", "@x", "\tx"])("runs no formula: %j", async (name) => {
    expect(await toCsv([item(name)]).text()).toContain(`\r\n'${name},`);
  });

  it("quotes what would break a row", async () => {
    expect(await toCsv([item("a", 'one, "two"\nthree')]).text()).toContain('"one, ""two""\nthree"');
  });
});

it("JSON says what was not answered", async () => {
  const { tiles } = JSON.parse(await toJson([item("a")]).text()) as { tiles: unknown[] };
  expect(tiles).toEqual([{ name: "a", answer: null, problem: null, unfinished: true, review: { mark: "agree", note: "" } }]);
});

it("a file's name tells when, and nothing else", () => {
  expect(nameFor("report", "pdf", new Date(2026, 0, 5, 9, 3))).toBe("healer-report-2026-01-05-0903.pdf");
});
