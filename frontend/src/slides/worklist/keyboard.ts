import { type Shortcuts, useShortcuts } from "../../view/shortcuts";
import { HELP } from "../../view/Help";
import { focusNote, submitWord } from "../review/SlideReview";
import { toggleAgreement } from "../review/words";
import type { Slide } from "../api/types";
import { slideTexts } from "../texts";
import { needsScale } from "../problems";
import { navigate, slideHref } from "../route";
import { cancel, read, setPaused } from "./actions";
import { indexOf, isUnderWay, selectSlide, showRows, slideAt, useSlides } from "./store";

const withSelected = (action: (slide: Slide) => void) => (): void => {
  const session = useSlides.getState();
  const slide = slideAt(session, indexOf(session, session.selected));
  if (slide) action(slide);
};
const whole = ({ id }: Slide): { slide: string; region: null } => ({ slide: id, region: null });
const step = (by: 1 | -1) => (): void => {
  selectAdjacent(by);
};

const SHORTCUTS: Shortcuts = {
  j: step(1),
  ArrowDown: step(1),
  k: step(-1),
  ArrowUp: step(-1),
  Enter: withSelected(({ id }) => {
    navigate(slideHref(id));
  }),
  r: withSelected((slide) => {
    if (!isUnderWay(slide) && slide.state !== "read") readOrAskScale(slide);
  }),
  Delete: withSelected((slide) => {
    if (isUnderWay(slide)) void cancel(slide);
  }),
  p: () => {
    const { queue } = useSlides.getState();
    if (queue) void setPaused(!queue.paused);
  },
  a: withSelected((slide) => {
    if (slide.verdict) toggleAgreement(whole(slide), "agree");
  }),
  d: withSelected((slide) => {
    if (slide.verdict) toggleAgreement(whole(slide), "disagree");
  }),
  n: withSelected((slide) => {
    focusNote(whole(slide));
  }),
  s: withSelected((slide) => {
    submitWord(whole(slide));
  }),
  "?": () => {
    document.getElementById(HELP)?.click();
  },
  Escape: () => {
    useSlides.setState({ showsDetail: false });
  },
};

/** One whose scale nobody stated would fail again: it is asked for first. */
export function readOrAskScale(slide: Slide): void {
  if (!needsScale(slide)) {
    void read(slide);
    return;
  }
  selectSlide(slide.id);
  requestAnimationFrame(() => document.querySelector<HTMLElement>("[data-scale]")?.focus());
}

export function useSlideKeys(): void {
  useShortcuts(SHORTCUTS, slideTexts.keys);
}

/** To the next (1) or previous (-1) slide as listed; its row takes the focus where a row had it. */
function selectAdjacent(by: 1 | -1): void {
  const session = useSlides.getState();
  const at = indexOf(session, session.selected);
  const index = at < 0 ? 0 : at + by;
  const next = slideAt(session, index);
  if (!next) {
    if (index >= 0 && index < (session.total ?? 0)) showRows(index, index);
    return;
  }
  const focused = document.activeElement?.closest("[data-slide]") !== null;
  selectSlide(next.id, session.showsDetail);
  if (!focused) return;
  requestAnimationFrame(() => {
    const row = document.querySelector<HTMLElement>(`[data-slide="${CSS.escape(next.id)}"]`);
    row?.querySelector("button")?.focus({ preventScroll: true });
  });
}
