import { type ReactElement, useEffect, useRef, useState } from "react";

import { Control, FullScreen, ScaleBar } from "../../viewer/controls";
import { texts as shared } from "../../texts";
import { SLIDE_PATHS } from "../api/paths";
import { parseRoute, replaceView, type SlideView } from "../route";
import { clickAt, dragLine, toggleMeasuring } from "./actions";
import { LayerPanel } from "./LayerPanel";
import { Outlines } from "./Outlines";
import { fetchPyramid, type Pyramid } from "./pyramid";
import { getSlide, setSlide, useSlideSession } from "./session";
import { Stage } from "./stage";
import { texts } from "./texts";
import { TileCard } from "./TileCard";

const STEP = 1.4;
const SETTLED_MS = 300;

/** The slide's picture under its map and outlines. */
export function SlidePicture({ id, first }: { id: string; first: SlideView | null }): ReactElement {
  const frame = useRef<HTMLDivElement>(null);
  const place = useRef<HTMLDivElement>(null);
  const pyramid = useSlidePyramid(id);
  useStage(id, place, pyramid, first);
  useMap(id);
  return (
    <div ref={frame} data-viewer className="group relative h-full overflow-hidden bg-sunken">
      <div ref={place} className="absolute inset-0 isolate" />
      {pyramid === "none" && <Placeholder>{texts.noPicture}</Placeholder>}
      {pyramid === null && <Placeholder>{texts.opening}</Placeholder>}
      <Outlines />
      <Cross />
      <LayerPanel />
      <Controls frame={frame} />
      <SlideScaleBar />
      <MeasureHint />
      <TileCard />
    </div>
  );
}

/** Null until it is known, "none" where there is no picture of the slide. */
function useSlidePyramid(id: string): Pyramid | "none" | null {
  const ready = useSlideSession(({ slide }) => slide !== null);
  const [pyramid, setPyramid] = useState<Pyramid | "none" | null>(null);
  useEffect(() => {
    if (!ready) return undefined;
    let wanted = true;
    void fetchPyramid(SLIDE_PATHS.dzi(id)).then((result) => {
      if (wanted) setPyramid(result.is === "answered" ? result.value : "none");
    });
    return () => {
      wanted = false;
    };
  }, [id, ready]);
  return pyramid;
}

const knownScale = (): number | null => getSlide().slide?.mpp?.x ?? null;

function useStage(
  id: string,
  place: React.RefObject<HTMLDivElement>,
  pyramid: Pyramid | "none" | null,
  first: SlideView | null,
): void {
  const start = useRef(first);
  useEffect(() => {
    if (!place.current || pyramid === null || pyramid === "none") return undefined;
    let settled: ReturnType<typeof setTimeout> | undefined;
    const label = texts.picture(getSlide().slide?.name ?? texts.unnamed(id));
    const stage = new Stage(place.current, label, pyramid, start.current, knownScale(), {
      onView: (view) => {
        setSlide({ view });
        clearTimeout(settled);
        settled = setTimeout(() => {
          replaceView(id, view);
        }, SETTLED_MS);
      },
      onClick: clickAt,
      onDrag: dragLine,
      onPointer: (pointer) => {
        const { measuring, line } = getSlide();
        if (measuring && line.length === 1) setSlide({ pointer });
      },
    });
    setSlide({ stage, pyramid });
    const { regions, selected } = getSlide();
    const region = regions[selected ?? -1];
    if (region) stage.goTo(region.box); // it was chosen before there was a picture
    const visited = (): void => {
      const route = parseRoute(location.hash);
      if (route.page === "slide" && route.id === id && route.view) stage.show(route.view);
    };
    addEventListener("hashchange", visited);
    return () => {
      removeEventListener("hashchange", visited);
      clearTimeout(settled);
      setSlide({ stage: null, view: null, pyramid: null });
      stage.close();
    };
  }, [id, place, pyramid]);
}

/** Fetch the map's newest version, one at a time, and show it as strongly as is chosen. */
function useMap(id: string): void {
  const stage = useSlideSession((session) => session.stage);
  const version = useSlideSession((session) => session.mapVersion);
  const opacity = useSlideSession(({ layers }) => (layers.map ? layers.opacity : 0));
  useEffect(() => {
    stage?.setMapOpacity(opacity);
  }, [stage, opacity]);
  useEffect(() => {
    if (!stage || version === null) return undefined;
    let wanted = true;
    void fetchPyramid(SLIDE_PATHS.mapDzi(id, version)).then((result) => {
      if (wanted && result.is === "answered") {
        stage.setMap(result.value);
        setSlide({ hasMap: true });
      }
    });
    return () => {
      wanted = false;
    };
  }, [id, stage, version]);
}

function Controls({ frame }: { frame: React.RefObject<HTMLDivElement> }): ReactElement | null {
  const stage = useSlideSession((session) => session.stage);
  const measuring = useSlideSession((session) => session.measuring);
  if (!stage) return null;
  return (
    <div className="absolute right-2 top-2 flex flex-col gap-1.5">
      <Control
        icon="add"
        name={shared.viewer.zoomIn}
        act={() => {
          stage.zoomBy(STEP);
        }}
      />
      <Control
        icon="minus"
        name={shared.viewer.zoomOut}
        act={() => {
          stage.zoomBy(1 / STEP);
        }}
      />
      <Control
        icon="home"
        name={shared.viewer.home}
        act={() => {
          stage.home();
        }}
      />
      <Control icon="ruler" name={texts.measure.title} pressed={measuring} act={toggleMeasuring} />
      <FullScreen frame={frame} />
    </div>
  );
}

function SlideScaleBar(): ReactElement | null {
  const mpp = useSlideSession(({ slide, view }) =>
    slide?.mpp && view && view.z > 0 ? slide.mpp.x / view.z : null,
  );
  return mpp === null ? null : <ScaleBar mpp={mpp} />;
}

function MeasureHint(): ReactElement | null {
  const measuring = useSlideSession((session) => session.measuring);
  const points = useSlideSession(({ line }) => line.length);
  if (!measuring) return null;
  return (
    <p className="pointer-events-none absolute inset-x-14 top-2 mx-auto w-fit rounded bg-black/75 px-2 py-1 text-center text-xs text-white">
      {points === 1 ? texts.measure.second : texts.measure.how}
    </p>
  );
}

/** What keys work on: shown while the picture has the keyboard, and while measuring. */
function Cross(): ReactElement {
  const measuring = useSlideSession((session) => session.measuring);
  return (
    <svg
      viewBox="-12 -12 24 24"
      className={`pointer-events-none absolute left-1/2 top-1/2 size-6 -translate-1/2 ${measuring ? "" : "hidden group-has-[[role=application]:focus-visible]:block"}`}
      fill="none"
      aria-hidden="true"
    >
      {[
        ["#fff", 4],
        ["#000", 1.5],
      ].map(([stroke, width]) => (
        <path
          key={stroke}
          d="M-11 0H-3M3 0H11M0 -11V-3M0 3V11"
          stroke={String(stroke)}
          strokeWidth={width}
        />
      ))}
    </svg>
  );
}

function Placeholder({ children }: { children: string }): ReactElement {
  return (
    <p className="absolute inset-0 grid place-items-center p-6 text-center text-sm text-quiet">
      {children}
    </p>
  );
}
