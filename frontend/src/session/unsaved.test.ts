import { expect, it, vi } from "vitest";

import { tile } from "./fixtures";
import type { Item, Review } from "./item";
import { itemOf, setState } from "./store";
import { isUnsaved, markExported, warnBeforeLoss } from "./unsaved";

const reviewed = (review: Review, change: Partial<Item> = {}): Item =>
  tile("a", { review, ...change });

it.each<[string, Item, boolean]>([
  ["nothing was written", reviewed({ mark: null, note: " " }), false],
  ["a mark", reviewed({ mark: "agree", note: "" }), true],
  ["a note", reviewed({ mark: null, note: "glands" }), true],
  [
    "an exported mark",
    reviewed({ mark: "agree", note: "" }, { exported: { mark: "agree", note: "" } }),
    false,
  ],
  [
    "a mark that is another than was exported",
    reviewed({ mark: "disagree", note: "" }, { exported: { mark: "agree", note: "" } }),
    true,
  ],
  [
    "a mark in the service's log",
    reviewed({ mark: "agree", note: "", log: { is: "kept" } }),
    false,
  ],
  ["a mark on its way there", reviewed({ mark: "agree", note: "", log: { is: "sending" } }), true],
  [
    "a note, which the log does not take",
    reviewed({ mark: "agree", note: "glands", log: { is: "kept" } }),
    true,
  ],
])("%s: at risk %s", (_, item, risk) => {
  expect(isUnsaved(item)).toBe(risk);
});

it("what changed after an export is at risk again", () => {
  setState({ items: [reviewed({ mark: "agree", note: "" })] });
  markExported([reviewed({ mark: "agree", note: "" })]);
  const exported = itemOf("a");
  expect(exported && isUnsaved(exported)).toBe(false);
  setState(({ items }) => ({
    items: items.map((item) => ({ ...item, review: { mark: "agree" as const, note: "late" } })),
  }));
  const changed = itemOf("a");
  expect(changed && isUnsaved(changed)).toBe(true);
});

it("asks before the tab closes only while something would be lost", () => {
  const listeners = new Set<(event: BeforeUnloadEvent) => void>();
  const window = {
    addEventListener: (_: string, listener: () => void) => {
      listeners.add(listener);
    },
    removeEventListener: (_: string, listener: () => void) => {
      listeners.delete(listener);
    },
  };
  vi.stubGlobal("window", window);
  const isBlocked = (): boolean => {
    const preventDefault = vi.fn();
    for (const listener of listeners) listener({ preventDefault } as unknown as BeforeUnloadEvent);
    return preventDefault.mock.calls.length > 0;
  };
  setState({ items: [tile("a")] });
  warnBeforeLoss();
  setState({ items: [tile("a"), tile("b")] });
  expect(listeners.size).toBe(0);
  setState({ items: [reviewed({ mark: "agree", note: "" })] });
  expect(isBlocked()).toBe(true);
  setState({
    items: [reviewed({ mark: "agree", note: "" }, { exported: { mark: "agree", note: "" } })],
  });
  expect(isBlocked()).toBe(false);
  setState({ items: [tile("a")] });
  expect(listeners.size).toBe(0);
  vi.unstubAllGlobals();
});
