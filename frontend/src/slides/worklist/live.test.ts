import { afterAll, beforeEach, expect, it, vi } from "vitest";

import type { ListHandlers } from "../api/events";
import type { Slide } from "../api/types";
import { LiveList } from "./live";
import { useSlides } from "./store";

const followed = vi.hoisted(() => ({
  handlers: undefined as ListHandlers | undefined,
  fetches: 0,
}));

vi.mock("../api/events", () => ({
  followList: (handlers: ListHandlers) => {
    followed.handlers = handlers;
    return () => undefined;
  },
}));
vi.mock("../api/slides", () => ({
  fetchSlides: () => {
    followed.fetches += 1;
    const counts = { unread: 0, queued: 0, reading: 1, read: 0, stale: 0, failed: 0, cancelled: 0 };
    const slides = [{ id: "a", state: "queued", progress: null } as unknown as Slide];
    return Promise.resolve({ is: "answered", value: { slides, total: 1, counts, cases: [] } });
  },
}));
vi.mock("../../session/health", () => ({ checkHealthNow: vi.fn() }));

const QUEUE = { paused: false, waiting: 1, seconds_left: 8 };
const PROGRESS = { done: 3, total: 9, kept: 0, tiles_per_second: 2, seconds_left: 3 };
const later = (milliseconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(milliseconds);
const report = (slides: string[] | null): void => {
  followed.handlers?.onNews({ slides, reading: { id: "a", progress: PROGRESS }, queue: QUEUE });
};

vi.useFakeTimers();
afterAll(() => {
  vi.useRealTimers();
});
beforeEach(() => {
  followed.fetches = 0;
  useSlides.setState(useSlides.getInitialState());
});

it("fetches when slides have changed, at most once a second, and not for progress", async () => {
  const live = new LiveList();
  live.start();
  await later(1_100);
  expect(followed.fetches).toBe(1);
  report([]); // the first that is reported: what came before it may have been missed
  await later(5_000);
  expect(followed.fetches).toBe(2);
  report([]);
  await later(5_000);
  expect(followed.fetches).toBe(2);
  report(["a"]);
  report(["b"]);
  report(null);
  await later(900);
  expect(followed.fetches).toBe(3);
  await later(1_100);
  expect(followed.fetches).toBe(4);
  live.stop();
  await later(60_000);
  expect(followed.fetches).toBe(4);
});

it("shows how far the reading is without a fetch", async () => {
  const live = new LiveList();
  live.start();
  await later(1_100);
  report([]);
  const { pages, queue } = useSlides.getState();
  expect(pages.get(1)?.[0]).toMatchObject({ id: "a", state: "reading", progress: PROGRESS });
  expect(queue).toEqual(QUEUE);
  live.stop();
});

it("asks again and again while there is no stream", async () => {
  const live = new LiveList();
  live.start();
  await later(1_100);
  report([]);
  followed.handlers?.onLost(true);
  await later(10_000);
  expect(followed.fetches).toBeGreaterThanOrEqual(4);
  live.stop();
});

it("looks for new slides in the folder now and then", async () => {
  const live = new LiveList();
  live.start();
  await later(1_100);
  report([]);
  await later(29_000);
  expect(followed.fetches).toBe(2);
  await later(3_000);
  expect(followed.fetches).toBe(3);
  live.stop();
});
