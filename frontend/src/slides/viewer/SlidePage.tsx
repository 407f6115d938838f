import "./slide.css";

import { type ReactElement, useEffect } from "react";

import type { Problem } from "../../api/types";
import { sentenceOf } from "../../session/problems";
import { texts as shared } from "../../texts";
import { Icon } from "../../view/icons";
import { useShortcuts } from "../../view/shortcuts";
import { SLIDES_HREF, type SlideView } from "../route";
import { saveSlideFile, stepRegion } from "./actions";
import { SHORTCUTS } from "./keys";
import { openSlide } from "./reading";
import { SlidePanel } from "./SlidePanel";
import { SlidePicture } from "./SlidePicture";
import { isDoubtful, useSlideSession } from "./session";
import { texts } from "./texts";

export interface SlidePageProps {
  id: string;
  /** From the address: null where it names none. */
  view: SlideView | null;
}

/** One slide: its picture with the map, and what was read of it. */
export function SlidePage({ id, view }: SlidePageProps): ReactElement {
  useEffect(() => openSlide(id), [id]);
  useShortcuts(SHORTCUTS, texts.keys);
  const problem = useSlideSession((session) => (session.slide ? null : session.problem));
  if (problem) return <NoSlide problem={problem} />;
  return (
    <main id="result" tabIndex={-1} className="flex flex-1 flex-col outline-none lg:min-h-0">
      <Bar id={id} />
      <Lost />
      <div className="relative grid flex-1 content-start lg:min-h-0 lg:grid-cols-[minmax(0,1fr)_minmax(22rem,26rem)] lg:grid-rows-[minmax(0,1fr)] lg:content-stretch">
        <div className="h-[min(70vh,130vw)] min-h-80 lg:h-auto lg:min-h-0">
          <SlidePicture id={id} first={view} />
        </div>
        <div className="relative border-line p-4 lg:overflow-y-auto lg:border-l">
          <SlidePanel />
        </div>
      </div>
      <Announcements />
    </main>
  );
}

function NoSlide({ problem }: { problem: Problem }): ReactElement {
  const unknown = problem.code === "slide_unknown";
  return (
    <main
      id="result"
      tabIndex={-1}
      className="grid flex-1 place-content-center justify-items-center gap-3 p-6 text-center outline-none"
    >
      <div role="alert" className="grid justify-items-center gap-3">
        <h2 className="text-2xl font-semibold">{unknown ? texts.unknown : problem.title}</h2>
        <p className="max-w-xl text-quiet">{unknown ? texts.unknownMeans : sentenceOf(problem)}</p>
      </div>
      <a className="button button-main" href={SLIDES_HREF}>
        <Icon name="back" className="size-4" />
        {texts.toWorklist}
      </a>
    </main>
  );
}

function Bar({ id }: { id: string }): ReactElement {
  const name = useSlideSession(({ slide }) => slide?.name ?? texts.unnamed(id));
  const inCase = useSlideSession(({ slide }) => slide?.case ?? null);
  return (
    <div className="flex flex-wrap items-center gap-2 border-b border-line bg-surface p-3">
      <a className="button" href={SLIDES_HREF}>
        <Icon name="back" className="size-4" />
        {texts.worklist}
      </a>
      <RegionSteps />
      <h2
        className="order-last line-clamp-2 min-w-0 flex-1 basis-full text-sm font-semibold wrap-anywhere sm:order-none sm:basis-48"
        title={name}
      >
        {name}
        {inCase !== null && (
          <span className="ml-2 font-normal text-quiet">{texts.inCase(inCase)}</span>
        )}
      </h2>
      <Report />
    </div>
  );
}

function Report(): ReactElement | null {
  const answered = useSlideSession(({ slide }) => Boolean(slide?.answer));
  if (!answered) return null;
  return (
    <button
      type="button"
      className="button button-icon w-auto px-2.5"
      onClick={() => void saveSlideFile("report")}
    >
      <Icon name="report" className="size-4" />
      <span className="max-md:sr-only">{shared.action.report}</span>
    </button>
  );
}

function RegionSteps(): ReactElement | null {
  const none = useSlideSession(({ regions }) => regions.length === 0);
  const { previous, next } = texts.regions;
  const steps = [
    [previous, "back", -1, "rounded-r-none"],
    [next, "next", 1, "-ml-px rounded-l-none"],
  ] as const;
  return (
    <span className="flex">
      {steps.map(([name, icon, by, shape]) => (
        <button
          key={name}
          type="button"
          className={`button button-icon ${shape}`}
          aria-label={name}
          title={name}
          disabled={none}
          onClick={() => {
            stepRegion(by);
          }}
        >
          <Icon name={icon} className="size-4" />
        </button>
      ))}
    </span>
  );
}

function Lost(): ReactElement | null {
  const lost = useSlideSession((session) => session.lost);
  if (!lost) return null;
  return (
    <p role="alert" className="flex items-center gap-2 bg-unsure-soft px-4 py-2 text-sm">
      <Icon name="warning" className="text-unsure" />
      {texts.lost}
    </p>
  );
}

/** For screen readers: how far the reading is, and which region was gone to. */
function Announcements(): ReactElement {
  const state = useSlideSession(({ slide }) => (slide ? texts.stateSaid(slide) : ""));
  const region = useSlideSession(({ slide, regions, selected }) => {
    const chosen = regions[selected ?? -1];
    if (!chosen || selected === null) return "";
    const kind = texts.regions.kind(chosen, isDoubtful(slide));
    return texts.regions.selected(selected + 1, regions.length, kind);
  });
  return (
    <div className="sr-only">
      <p role="status">{state}</p>
      <p role="status">{region}</p>
    </div>
  );
}
