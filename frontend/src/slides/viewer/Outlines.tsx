import { memo, type ReactElement } from "react";

import type { Region, UnreadTissue } from "../api/types";
import { distance, pathOf, type Point, polygonsOf } from "./geometry";
import { useSlideSession } from "./session";
import { texts } from "./texts";

/** What is drawn over the slide, in pixels of level 0. The same stands in words beside it. */
export function Outlines(): ReactElement | null {
  const view = useSlideSession((session) => session.view);
  const layers = useSlideSession((session) => session.layers);
  const regions = useSlideSession((session) => session.regions);
  const unread = useSlideSession((session) => session.unread);
  const selected = useSlideSession((session) => session.selected);
  const tile = useSlideSession((session) => session.tile);
  if (!view) return null;
  const { x, y, z, width, height } = view;
  return (
    <svg
      data-outlines
      className="outlines pointer-events-none absolute inset-0 size-full"
      aria-hidden="true"
    >
      <Hatching scale={1 / z} />
      <g transform={`translate(${width / 2 - x * z} ${height / 2 - y * z}) scale(${z})`}>
        {layers.unread && unread && <UnreadOutlines unread={unread} />}
        {layers.regions && <RegionOutlines regions={regions} selected={selected} />}
        {tile?.is === "read" && (
          <>
            <rect className="outline-tile outline-halo" {...tile.tile.area} />
            <rect className="outline-tile" {...tile.tile.area} />
          </>
        )}
      </g>
      <Line />
    </svg>
  );
}

/** In pixels of the screen, however large the slide is drawn. */
function Hatching({ scale }: { scale: number }): ReactElement {
  return (
    <defs>
      <pattern
        id="not-read"
        width="8"
        height="8"
        patternUnits="userSpaceOnUse"
        patternTransform={`scale(${scale})`}
      >
        <path d="M-2 2 2-2M0 8 8 0M6 10 10 6" className="hatching" />
      </pattern>
    </defs>
  );
}

const UnreadOutlines = memo(function UnreadOutlines({
  unread,
}: {
  unread: UnreadTissue;
}): ReactElement {
  return (
    <>
      {unread.features.map((feature, at) => (
        <path
          key={at}
          className="outline-unread"
          data-reason={feature.properties.reason}
          d={pathOf(polygonsOf(feature))}
        />
      ))}
    </>
  );
});

const RegionOutlines = memo(function RegionOutlines({
  regions,
  selected,
}: {
  regions: readonly Region[];
  selected: number | null;
}): ReactElement {
  return (
    <>
      {regions.map(({ kind, outline }, at) => (
        <g
          key={at}
          className={`outline-region outline-${kind} ${at === selected ? "outline-selected" : ""}`}
        >
          <path className="outline-halo" d={pathOf(outline)} />
          <path className="outline-edge" d={pathOf(outline)} />
        </g>
      ))}
    </>
  );
});

/** The distance being measured, in pixels of the screen. */
function Line(): ReactElement | null {
  const { view, line, pointer, slide, measuring } = useSlideSession();
  const [from, placed] = line;
  const to = placed ?? pointer ?? (measuring && view ? { x: view.x, y: view.y } : undefined);
  if (!view || !from || !to) return null;
  const { x, y, z, width, height } = view;
  const onScreen = (point: Point): Point => ({
    x: (point.x - x) * z + width / 2,
    y: (point.y - y) * z + height / 2,
  });
  const [a, b] = [onScreen(from), onScreen(to)];
  const path = `M${a.x} ${a.y}L${b.x} ${b.y}`;
  return (
    <g className="measure">
      <path d={path} className="measure-halo" />
      <path d={path} className="measure-line" />
      {[a, b].map((end, at) => (
        <circle key={at} cx={end.x} cy={end.y} r="4" className="measure-end" />
      ))}
      <text x={(a.x + b.x) / 2} y={(a.y + b.y) / 2 - 10} textAnchor="middle">
        {texts.measure.between(slide?.mpp ? distance(from, to, slide.mpp) : null, from, to)}
      </text>
    </g>
  );
}
