import { type ReactElement, useState } from "react";

import { type Layers, setLayers, useSlideSession } from "./session";
import { texts } from "./texts";

const WIDE = "(min-width: 64rem)";

/** What is laid over the slide, how strongly, and what its colours mean. */
export function LayerPanel(): ReactElement | null {
  const shown = useSlideSession(({ stage, slide }) => stage !== null && slide !== null);
  const [open] = useState(() => matchMedia(WIDE).matches);
  if (!shown) return null;
  return (
    <details
      open={open}
      className="absolute left-2 top-2 w-56 rounded-lg border border-line bg-surface text-sm shadow-sm not-open:w-fit"
    >
      <summary className="px-3 py-1.5 font-medium">{texts.layers.title}</summary>
      <div className="grid gap-1 px-3 pb-3">
        <MapLayer />
        <Switch layer="regions" name={texts.layers.regions} sample="layer-regions" />
        <Switch layer="unread" name={texts.layers.unread} sample="layer-unread" />
      </div>
    </details>
  );
}

function MapLayer(): ReactElement {
  const hasMap = useSlideSession((session) => session.hasMap);
  const opacity = useSlideSession(({ layers }) => layers.opacity);
  return (
    <>
      <Switch layer="map" name={texts.layers.map} />
      {hasMap ? (
        <>
          <label className="grid">
            <span className="sr-only">{texts.layers.opacity}</span>
            <input
              type="range"
              className="h-7 accent-accent"
              title={texts.layers.opacity}
              min="0.1"
              max="1"
              step="0.1"
              value={opacity}
              onChange={(event) => {
                setLayers({ map: true, opacity: Number(event.target.value) });
              }}
            />
          </label>
          <Legend />
        </>
      ) : (
        <p className="text-xs text-quiet">{texts.layers.noMap}</p>
      )}
    </>
  );
}

/** The map's colours; where its answer is known, with the thresholds. */
function Legend(): ReactElement {
  const thresholds = useSlideSession(({ slide }) => slide?.answer?.model.thresholds);
  const { legend, legendPlain, ends, grey } = texts.layers;
  return (
    <div className="text-xs tabular-nums">
      <div
        role="img"
        aria-label={thresholds ? legend(thresholds.lower, thresholds.upper) : legendPlain}
        className="map-legend relative h-3 rounded-sm"
      >
        {thresholds &&
          [thresholds.lower, thresholds.upper].map((at) => (
            <span
              key={at}
              className="absolute -top-0.5 h-4 w-0.5 -translate-x-1/2 bg-ink outline-1 outline-surface"
              style={{ left: `${at * 100}%` }}
            />
          ))}
      </div>
      <p className="mt-0.5 flex justify-between" aria-hidden="true">
        <span>{ends[0]}</span>
        <span>{ends[1]}</span>
      </p>
      <p className="flex items-center gap-1.5">
        <span className="size-2.5 rounded-sm bg-[#787878]" />
        {grey}
      </p>
    </div>
  );
}

function Switch({
  layer,
  name,
  sample,
}: {
  layer: Exclude<keyof Layers, "opacity">;
  name: string;
  sample?: string;
}): ReactElement {
  const on = useSlideSession(({ layers }) => layers[layer]);
  return (
    <label className="flex min-h-7 items-center gap-2">
      <input
        type="checkbox"
        className="size-4 accent-accent"
        checked={on}
        onChange={(event) => {
          setLayers({ [layer]: event.target.checked });
        }}
      />
      <span className="flex-1">{name}</span>
      {sample !== undefined && <span className={`h-3 w-5 ${sample}`} aria-hidden="true" />}
    </label>
  );
}
