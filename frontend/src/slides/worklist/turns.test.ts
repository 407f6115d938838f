import { expect, it } from "vitest";

import { inTurn } from "./turns";

const wanted = new AbortController().signal;
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

it("two at a time, in order; what is not wanted any more is left out", async () => {
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const step = (at: number) => () => {
    begun.push(at);
    return new Promise<number>((end) =>
      ends.push(() => {
        end(at);
      }),
    );
  };
  const gone = new AbortController();
  const all = [
    inTurn(wanted, step(0)),
    inTurn(wanted, step(1)),
    inTurn(gone.signal, step(2)),
    inTurn(wanted, step(3)),
  ];
  expect(begun).toEqual([0, 1]);
  gone.abort();
  ends[0]?.();
  await settled();
  expect(begun).toEqual([0, 1, 3]);
  ends.forEach((end) => {
    end();
  });
  expect(await Promise.all(all)).toEqual([0, 1, null, 3]);
  const after = inTurn(wanted, () => Promise.resolve("free again"));
  expect(await after).toBe("free again");
});
