import { beforeEach, expect, it, vi } from "vitest";

import { problem } from "../../session/fixtures";
import { useSession } from "../../session/store";
import type { Result } from "../api/request";
import type { Slide, SlideFilter, SlideList } from "../api/types";
import {
  changeFilter,
  indexOf,
  leftToRead,
  PER_PAGE,
  refresh,
  replaceSlide,
  showRows,
  slideAt,
  useSlides,
} from "./store";

interface Asked {
  filter: SlideFilter;
  page: number;
  answer: (result: Result<SlideList>) => void;
}
const asked = vi.hoisted((): Asked[] => []);

vi.mock("../api/slides", () => ({
  fetchSlides: (filter: SlideFilter, page: number) =>
    new Promise<Result<SlideList>>((answer) => asked.push({ filter, page, answer })),
}));
vi.mock("../../session/health", () => ({ checkHealthNow: vi.fn() }));

const NO_COUNTS = { unread: 0, queued: 0, reading: 0, read: 0, stale: 0, failed: 0, cancelled: 0 };

function listOf(page: number, ids: string[], total = ids.length): Result<SlideList> {
  const slides = ids.map((id) => ({ id, state: "unread" }) as Slide);
  const queue = { paused: false, waiting: 0, seconds_left: null };
  const rest = {
    per_page: PER_PAGE,
    counts: NO_COUNTS,
    queue,
    without_scale: 0,
    cases: [],
    notice: "",
  };
  return { is: "answered", value: { slides, total, page, ...rest } };
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
const state = useSlides.getState;

beforeEach(async () => {
  changeFilter({ state: null });
  asked.splice(0).forEach(({ answer }) => {
    answer({ is: "lost" });
  });
  await settled();
  useSlides.setState(useSlides.getInitialState());
});

it("pages are fetched when their rows come into sight, and once", async () => {
  showRows(0, 20);
  showRows(90, 110);
  expect(asked.map(({ page }) => page)).toEqual([1, 1, 2]);
  asked[0]?.answer(listOf(1, ["a", "b"], 250));
  asked[2]?.answer(listOf(2, ["c"], 250));
  await settled();
  expect(slideAt(state(), 1)?.id).toBe("b");
  expect(slideAt(state(), PER_PAGE)?.id).toBe("c");
  expect(indexOf(state(), "c")).toBe(PER_PAGE);
  expect(indexOf(state(), "z")).toBe(-1);
  asked.length = 0;
  showRows(90, 110);
  expect(asked).toEqual([]);
});

it("an answer to an earlier filter is dropped", async () => {
  void refresh();
  changeFilter({ verdict: "yes" });
  const [early, late] = asked;
  late?.answer(listOf(1, ["yes"]));
  early?.answer(listOf(1, ["all"]));
  await settled();
  expect(late?.filter.verdict).toBe("yes");
  expect(slideAt(state(), 0)?.id).toBe("yes");
});

it("what is out of sight is fetched again when it is seen", async () => {
  showRows(0, 110);
  asked[0]?.answer(listOf(1, ["a"], 250));
  asked[1]?.answer(listOf(2, ["b"], 250));
  await settled();
  showRows(0, 9);
  asked.length = 0;
  void refresh();
  expect(asked.map(({ page }) => page)).toEqual([1]);
  asked[0]?.answer(listOf(1, ["a"], 250));
  await settled();
  expect([...state().pages.keys()]).toEqual([1]);
});

it("a refusal stands until the service lists its slides again; a missing key is asked for", async () => {
  void refresh();
  asked[0]?.answer({ is: "refused", problem: problem(404, "slides_off") });
  await settled();
  expect(state().problem?.code).toBe("slides_off");
  void refresh();
  asked[1]?.answer(listOf(1, ["a"]));
  await settled();
  expect(state().problem).toBeNull();
  void refresh();
  asked[2]?.answer({ is: "refused", problem: problem(401, "credentials_missing") });
  await settled();
  expect(useSession.getState().keyRequest).not.toBeNull();
});

it("where nobody answers, what is listed stays", async () => {
  void refresh();
  asked[0]?.answer(listOf(1, ["a"]));
  await settled();
  void refresh();
  asked[1]?.answer({ is: "lost" });
  await settled();
  expect(state().lost).toBe(true);
  expect(slideAt(state(), 0)?.id).toBe("a");
});

it("one slide is replaced where it stands", async () => {
  void refresh();
  asked[0]?.answer(listOf(1, ["a", "b"]));
  await settled();
  replaceSlide({ id: "b", state: "queued" } as Slide);
  expect(slideAt(state(), 1)?.state).toBe("queued");
  expect(slideAt(state(), 0)?.state).toBe("unread");
});

it("slides that failed are not read with the rest: they would fail again", () => {
  expect(leftToRead({ ...NO_COUNTS, unread: 3, stale: 2, cancelled: 1, failed: 7, read: 9 })).toBe(
    6,
  );
});
