import { create } from "zustand";

import type { Problem } from "../../api/types";
import { checkHealthNow } from "../../session/health";
import { keyRequestOf } from "../../session/problems";
import { setState as setSession } from "../../session/store";
import type { Refused } from "../api/request";
import { fetchSlides } from "../api/slides";
import type {
  Case,
  ListNews,
  ReadingQueue,
  Slide,
  SlideFilter,
  SlideList,
  StateCounts,
} from "../api/types";

/** Slides fetched at a time; the list asks for those in sight. */
export const PER_PAGE = 100;

export interface SlidesSession {
  filter: SlideFilter;
  /** Pages that were fetched, from 1. */
  pages: ReadonlyMap<number, readonly Slide[]>;
  /** How many slides fit the filter; null before the first answer. */
  total: number | null;
  counts: StateCounts | null;
  queue: ReadingQueue | null;
  /** The slide that is being read, as the service has reported last. */
  reading: ListNews["reading"];
  /** How often the list was fetched: a slide that the filter leaves out may have changed too. */
  fetched: number;
  cases: ReadonlyMap<string, Case>;
  /** How many slides of the folder wait for somebody to state their scale. */
  withoutScale: number;
  selected: string | null;
  /** On a narrow screen, either the list or the selected slide is seen. */
  showsDetail: boolean;
  /** Why there is no list. */
  problem: Problem | null;
  lost: boolean;
}

export const DEFAULT_FILTER: SlideFilter = {
  state: null,
  verdict: null,
  case: null,
  review: null,
  sort: "risk",
};

export const useSlides = create<SlidesSession>()(() => ({
  filter: DEFAULT_FILTER,
  pages: new Map(),
  total: null,
  counts: null,
  queue: null,
  reading: null,
  fetched: 0,
  cases: new Map(),
  withoutScale: 0,
  selected: null,
  showsDetail: false,
  problem: null,
  lost: false,
}));

const { getState, setState } = useSlides;

/** Pages in sight: these are refreshed, and others fetched when they come into sight. */
let inSight: readonly number[] = [1];
let generation = 0;

const pageOf = (index: number): number => Math.floor(index / PER_PAGE) + 1;

export function slideAt({ pages }: Pick<SlidesSession, "pages">, index: number): Slide | undefined {
  return pages.get(pageOf(index))?.[index % PER_PAGE];
}

export function indexOf({ pages }: Pick<SlidesSession, "pages">, id: string | null): number {
  for (const [page, slides] of pages) {
    const at = slides.findIndex((slide) => slide.id === id);
    if (at >= 0) return (page - 1) * PER_PAGE + at;
  }
  return -1;
}

/** Rows `first` to `last` are in sight. */
export function showRows(first: number, last: number): void {
  const pages: number[] = [];
  for (let page = pageOf(first); page <= pageOf(last); page += 1) pages.push(page);
  inSight = pages;
  for (const page of pages) if (!getState().pages.has(page)) void fetchPage(page);
}

/** Everything in sight again; what is out of sight is fetched when it is seen. */
export async function refresh(): Promise<void> {
  const results = await Promise.all(inSight.map((page) => fetchPage(page)));
  if (!results.every(Boolean)) return;
  const shown = new Set(inSight);
  setState(({ pages, fetched }) => ({
    pages: new Map([...pages].filter(([page]) => shown.has(page))),
    fetched: fetched + 1,
  }));
}

export function changeFilter(change: Partial<SlideFilter>): void {
  generation += 1;
  inSight = [1];
  setState(({ filter }) => ({ filter: { ...filter, ...change }, pages: new Map(), total: null }));
  void refresh();
}

/** Whether it was fetched. An answer to an earlier filter is dropped. */
async function fetchPage(page: number): Promise<boolean> {
  const asked = generation;
  const result = await fetchSlides(getState().filter, page, PER_PAGE);
  if (asked !== generation) return false;
  if (result.is === "answered") setState(afterPage(page, result.value));
  else refusedPage(result);
  return result.is === "answered";
}

function refusedPage(refused: Refused): void {
  if (refused.is === "lost") {
    setState({ lost: true });
    checkHealthNow(); // which says so, until it is reached again
    return;
  }
  const keyRequest = keyRequestOf(refused.problem);
  if (keyRequest !== null) setSession({ keyRequest });
  setState({ problem: refused.problem, lost: false });
}

function afterPage(page: number, list: SlideList): Partial<SlidesSession> {
  const { pages, cases, selected } = getState();
  return {
    pages: new Map([...pages, [page, list.slides]]),
    total: list.total,
    counts: list.counts,
    queue: list.queue,
    cases: new Map([...cases, ...list.cases.map((each) => [each.case, each] as const)]),
    withoutScale: list.without_scale,
    selected: selected ?? list.slides[0]?.id ?? null,
    problem: null,
    lost: false,
  };
}

/** One slide as the service has just described it. */
export function replaceSlide(slide: Slide): void {
  setState(({ pages }) => ({
    pages: new Map(
      [...pages].map(([page, slides]) => [
        page,
        slides.map((each) => (each.id === slide.id ? { ...each, ...slide } : each)),
      ]),
    ),
  }));
}

/** What the service has reported of the list: how far the reading is, and what waits. */
export function showNews({ reading, queue }: ListNews): void {
  setState({ queue, reading });
  const listed = reading && slideAt(getState(), indexOf(getState(), reading.id));
  if (listed) replaceSlide(asRead(listed, reading));
}

/** The slide with how far it is read, where it is the one that is being read. */
export function asRead<S extends Slide>(slide: S, reading: ListNews["reading"]): S {
  if (reading?.id !== slide.id) return slide;
  return { ...slide, state: "reading", progress: reading.progress };
}

/** The slide that is listed `by` places after another, or the first where that is not listed. */
export async function slideBeside(id: string, by: 1 | -1): Promise<Slide | undefined> {
  if (getState().total === null) await refresh();
  const at = indexOf(getState(), id);
  const index = at < 0 ? 0 : at + by;
  if (index < 0 || index >= (getState().total ?? 0)) return undefined;
  if (!getState().pages.has(pageOf(index))) await fetchPage(pageOf(index));
  return slideAt(getState(), index);
}

export function selectSlide(id: string, showsDetail = true): void {
  setState({ selected: id, showsDetail });
}

export const isUnderWay = ({ state }: Slide): boolean => state === "queued" || state === "reading";
export const canRead = (slide: Slide): boolean => !isUnderWay(slide);

/** What "read all" reads: a slide that failed would fail again. */
export const READ_ALL = ["unread", "stale", "cancelled"] as const;

export function leftToRead(counts: StateCounts): number {
  return READ_ALL.reduce((sum, state) => sum + counts[state], 0);
}

export function allSlides(counts: StateCounts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
