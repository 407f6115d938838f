import type { ReactElement } from "react";

import { sentenceOf } from "../../session/problems";
import { slideTexts } from "../texts";
import { useSlideKeys } from "./keyboard";
import { useLiveList } from "./live";
import { SlideFilters } from "./SlideFilters";
import { SlideList } from "./SlideList";
import { SlidePanel } from "./SlidePanel";
import { allSlides, changeFilter, DEFAULT_FILTER, refresh, useSlides } from "./store";
import { ListFoot, Toolbar } from "./Toolbar";

/** The folder's slides, the most suspicious first, and the selected one beside them. */
export function SlidesPage(): ReactElement {
  const problem = useSlides((session) => session.problem);
  const empty = useSlides(({ counts }) => counts !== null && allSlides(counts) === 0);
  const showsDetail = useSlides((session) => session.showsDetail);
  useLiveList();
  useSlideKeys();
  if (problem) return <NoSlides title={problem.title} detail={sentenceOf(problem)} />;
  if (empty) return <NoSlides title={slideTexts.empty.title} detail={slideTexts.empty.detail} />;
  return (
    <main className="grid min-h-0 flex-1 grid-cols-1 overflow-y-auto lg:grid-cols-[minmax(24rem,32rem)_minmax(0,1fr)] lg:overflow-hidden">
      <section
        aria-label={slideTexts.title}
        className={`${showsDetail ? "hidden lg:flex" : "flex"} min-h-0 min-w-0 flex-col border-line lg:border-r`}
      >
        <div className="border-b border-line bg-surface p-3">
          <Toolbar />
          <SlideFilters />
        </div>
        <Listed />
        <ListFoot />
      </section>
      <section
        id="result"
        tabIndex={-1}
        aria-label={slideTexts.panel.label}
        className={`${showsDetail ? "block" : "hidden lg:block"} relative min-w-0 outline-none lg:min-h-0 lg:overflow-y-auto`}
      >
        <SlidePanel />
      </section>
    </main>
  );
}

function Listed(): ReactElement {
  const total = useSlides((session) => session.total);
  if (total === null)
    return <p className="flex-1 p-8 text-center text-sm text-quiet">{slideTexts.empty.loading}</p>;
  if (total > 0) return <SlideList total={total} />;
  return (
    <div className="flex flex-1 flex-col items-center gap-3 p-8 text-sm text-quiet">
      <p>{slideTexts.filters.nothingFits}</p>
      <button
        type="button"
        className="button"
        onClick={() => {
          changeFilter(DEFAULT_FILTER);
        }}
      >
        {slideTexts.filters.showAll}
      </button>
    </div>
  );
}

function NoSlides({ title, detail }: { title: string; detail: string }): ReactElement {
  return (
    <main
      id="result"
      tabIndex={-1}
      className="grid flex-1 place-content-center justify-items-center gap-3 p-6 text-center"
    >
      <h2 className="text-2xl font-semibold">{title}</h2>
      <p className="max-w-xl text-quiet">{detail}</p>
      <button type="button" className="button" onClick={() => void refresh()}>
        {slideTexts.empty.again}
      </button>
    </main>
  );
}
