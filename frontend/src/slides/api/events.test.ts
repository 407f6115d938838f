import { afterAll, afterEach, expect, it, vi } from "vitest";

import { followSlide } from "./events";

const line = (event: string, data: unknown): string =>
  `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
const stream = (...lines: string[]): Response => new Response(lines.join(""), { status: 200 });
const problem = (status: number, code: string): Response =>
  new Response(JSON.stringify({ status, code, title: code, detail: code }), { status });

function follow(...responses: (Response | Error)[]): {
  seen: string[];
  ended: () => Promise<void>;
  requests: () => number;
  stop: () => void;
} {
  const seen: string[] = [];
  const replies = [...responses];
  const fetching = vi.fn(() => {
    const reply = replies.shift();
    return reply instanceof Response ? Promise.resolve(reply) : Promise.reject(new Error("lost"));
  });
  vi.stubGlobal("fetch", fetching);
  const note =
    (name: string) =>
    (data: unknown): void => {
      seen.push(`${name} ${JSON.stringify(data)}`);
    };
  const stop = followSlide("ab12", {
    onState: ({ state }) => {
      seen.push(`state ${state}`);
    },
    onProgress: note("progress"),
    onMap: note("map"),
    onRegions: note("regions"),
    onFinished: ({ state }) => {
      seen.push(`finished ${state}`);
    },
    onFailed: ({ code }) => {
      seen.push(`failed ${code}`);
    },
    onRefused: ({ code }) => {
      seen.push(`refused ${code}`);
    },
    onLost: note("lost"),
  });
  return {
    seen,
    stop,
    requests: () => fetching.mock.calls.length,
    ended: () => vi.runAllTimersAsync().then(() => undefined),
  };
}

vi.useFakeTimers();
afterAll(() => {
  vi.useRealTimers();
});
afterEach(() => {
  vi.unstubAllGlobals();
});

it("gives what happens to a slide, in order, and ends with it", async () => {
  const { seen, ended, requests } = follow(
    stream(
      line("state", { state: "reading" }),
      line("progress", { done: 3, total: 9 }),
      line("map", { version: 2 }),
      line("regions", { regions: [] }),
      line("finished", { state: "read" }),
    ),
  );
  await ended();
  expect(seen).toEqual([
    "state reading",
    'progress {"done":3,"total":9}',
    "map 2",
    "regions []",
    "finished read",
  ]);
  expect(requests()).toBe(1);
});

it("connects again where the connection is lost in the midst, and where nobody answers", async () => {
  const { seen, ended, requests } = follow(
    stream(line("state", { state: "reading" })),
    new Error("refused"),
    problem(503, "shutting_down"),
    stream(line("state", { state: "reading" }), line("failed", { code: "slide_changed" })),
  );
  await ended();
  expect(seen).toEqual([
    "state reading",
    "lost true",
    "lost false",
    "state reading",
    "failed slide_changed",
  ]);
  expect(requests()).toBe(4);
});

it.each(["cancelled", "unread", "read"])(
  "a stream that ends on %s is not asked for again",
  async (state) => {
    const { seen, ended, requests } = follow(stream(line("state", { state })));
    await ended();
    expect(seen).toEqual([`state ${state}`]);
    expect(requests()).toBe(1);
  },
);

it("what is refused for good is reported once", async () => {
  const { seen, ended, requests } = follow(problem(404, "slide_unknown"));
  await ended();
  expect(seen).toEqual(["refused slide_unknown"]);
  expect(requests()).toBe(1);
});

it("nothing is given after it was stopped", async () => {
  const { seen, ended, stop } = follow(stream(line("state", { state: "reading" })));
  stop();
  await ended();
  expect(seen).toEqual([]);
});
