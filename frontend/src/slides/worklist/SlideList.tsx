import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactElement, useEffect, useRef } from "react";

import { slideTexts } from "../texts";
import { CaseLine } from "./CaseLine";
import { SlideRow } from "./SlideRow";
import { indexOf, showRows, slideAt, type SlidesSession, useSlides } from "./store";

const ROW_REM = 4.75;
const BEYOND = 6;

/** Only the rows in sight, and a few beyond: a folder can hold thousands. */
export function SlideList({ total }: { total: number }): ReactElement {
  const pages = useSlides((session) => session.pages);
  const selected = useSlides((session) => session.selected);
  const byCase = useSlides((session) => session.filter.sort === "case");
  const list = useRef<HTMLDivElement>(null);
  // eslint-disable-next-line react-hooks/incompatible-library -- its functions are called while drawing, and passed on to nothing
  const virtual = useVirtualizer({
    count: total,
    getScrollElement: () => list.current,
    estimateSize: () => ROW_REM * rem(),
    overscan: BEYOND,
  });
  const rows = virtual.getVirtualItems();
  const [first, last] = [rows[0]?.index ?? 0, rows.at(-1)?.index ?? 0];
  useEffect(() => {
    showRows(first, last);
  }, [first, last, pages]);
  const at = indexOf({ pages }, selected);
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at, { align: "auto" });
    // eslint-disable-next-line react-hooks/exhaustive-deps -- when another one is selected, not when the order changes
  }, [selected]);
  const reachable = at >= first && at <= last ? at : first;
  return (
    <div ref={list} data-slide-list className="relative min-h-72 flex-1 overflow-y-auto p-2">
      <ol
        aria-label={slideTexts.title}
        className="relative"
        style={{ height: `${virtual.getTotalSize()}px` }}
      >
        {rows.map(({ index, start }) => (
          <li
            key={index}
            ref={virtual.measureElement}
            data-index={index}
            aria-setsize={total}
            aria-posinset={index + 1}
            className="absolute inset-x-0 top-0"
            style={{ transform: `translateY(${start}px)` }}
          >
            {byCase && <CaseHead pages={pages} index={index} />}
            <Place
              pages={pages}
              index={index}
              selected={index === at}
              reachable={index === reachable}
            />
          </li>
        ))}
      </ol>
    </div>
  );
}

interface PlaceProps extends Pick<SlidesSession, "pages"> {
  index: number;
  selected: boolean;
  reachable: boolean;
}

function Place({ pages, index, selected, reachable }: PlaceProps): ReactElement {
  const slide = slideAt({ pages }, index);
  if (slide) return <SlideRow slide={slide} selected={selected} reachable={reachable} />;
  return (
    <p className="flex min-h-18 items-center px-3 text-xs text-quiet">{slideTexts.row.loading}</p>
  );
}

/** Above the first slide of each case. */
function CaseHead({ pages, index }: Pick<PlaceProps, "pages" | "index">): ReactElement | null {
  const slide = slideAt({ pages }, index);
  const before = index > 0 ? slideAt({ pages }, index - 1) : undefined;
  if (!slide?.case || before?.case === slide.case) return null;
  return (
    <div className="border-t border-line px-2 pt-2 pb-1">
      <CaseLine name={slide.case} />
    </div>
  );
}

function rem(): number {
  return Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
}
