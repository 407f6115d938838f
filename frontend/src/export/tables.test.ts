import { describe, expect, it } from "vitest";

import { prediction, tile } from "../session/fixtures";
import type { Item } from "../session/item";
import { toCsv, toJson } from "./tables";

const item = (name: string, note = ""): Item =>
  tile("1", { name, phase: { is: "cancelled" }, review: { mark: "agree", note } });

/** The rows of a CSV without quoted cells, by column. */
async function rows(...items: Item[]): Promise<Record<string, string>[]> {
  const [header = "", ...lines] = (await toCsv(items).text()).trimEnd().split("\r\n");
  const names = header.replace("\ufeff", "").split(",");
  return lines.map((line) =>
    Object.fromEntries(
      line.split(",").map((cell, at): [string, string] => [names[at] ?? "", cell]),
    ),
  );
}

describe("CSV", () => {
  it("begins with the mark of UTF-8 and ends its lines as RFC 4180 says", async () => {
    const bytes = new Uint8Array(await toCsv([item("ä.png")]).arrayBuffer());
    expect([...bytes.slice(0, 3)]).toEqual([0xef, 0xbb, 0xbf]);
    expect(new TextDecoder().decode(bytes)).toMatch(
      /request_id\r\nä\.png,.*,cancelled,agree,.*\r\n$/,
    );
  });

  it.each(["=1+1", "+1", "-1", "@x", "\tx"])("runs no formula: %j", async (name) => {
    expect(await toCsv([item(name)]).text()).toContain(`\r\n'${name},`);
  });

  it("quotes what would break a row", async () => {
    expect(await toCsv([item("a", 'one, "two"\nthree')]).text()).toContain('"one, ""two""\nthree"');
  });

  it("marks what was answered against the gate's advice, and calls it not calibrated", async () => {
    const warning = { code: "blurred", measured: 1, threshold: 2, sentence: "It is blurred." };
    const against = tile("a", {
      verdict: prediction({ calibrated: true, gate: { passed: false, warnings: [warning] } }),
    });
    const [first, second] = await rows(against, tile("b", { verdict: prediction() }));
    expect(first).toMatchObject({
      verdict: "no",
      calibrated: "false",
      against_advice: "true",
      gate: "It is blurred.",
    });
    expect(second).toMatchObject({
      verdict: "no",
      calibrated: "true",
      against_advice: "false",
      gate: "",
    });
  });

  it("carries the second answer, which a plain no would hide", async () => {
    const second_answer = {
      question: "dysplasia-or-cancer-1",
      verdict: "yes",
      probability: 0.83,
      calibrated: false,
      mark: "high-grade",
      sentence: "High-grade neoplasia likely.",
    } as const;
    const [row] = await rows(tile("a", { verdict: prediction({ second_answer }) }));
    expect(row).toMatchObject({
      verdict: "no",
      second_verdict: "yes",
      second_probability: "0.83",
      second_mark: "high-grade",
      second_sentence: "High-grade neoplasia likely.",
    });
  });

  it("lists a wide field's windows, and of files that are the same", async () => {
    const window = {
      x: 0,
      y: 0,
      width: 600,
      height: 600,
      probability: 0.1,
      verdict: "no",
    } as const;
    const windows = [window, { ...window, x: 600, probability: 0.93, verdict: "yes" as const }];
    const wide = tile("a", {
      digest: "1",
      verdict: prediction({
        windows,
        warnings: [
          { code: "wide_field", measured: 3100, threshold: 1120, sentence: "It is wide." },
        ],
      }),
    });
    const [first, second] = await rows(wide, tile("b", { digest: "1" }));
    expect(first).toMatchObject({
      warnings: "It is wide.",
      windows: "2",
      windows_yes: "1",
      windows_highest: "0.93",
      same_file_as: "",
    });
    expect(second).toMatchObject({ windows: "", same_file_as: "a.png" });
  });
});

it("JSON says what was not answered, and which files are the same", async () => {
  const { tiles } = JSON.parse(
    await toJson([tile("a", { digest: "1" }), { ...item("b"), id: "b", digest: "1" }]).text(),
  ) as { tiles: unknown[] };
  expect(tiles[1]).toEqual({
    name: "b",
    case: null,
    answer: null,
    problem: null,
    unfinished: true,
    review: { mark: "agree", note: "" },
    same_file_as: "a.png",
  });
});
