import { type ReactElement, useEffect, useMemo, useRef } from "react";

import { requestBlob } from "../api/request";
import type { Box } from "../api/types";
import { squareAround, tilesOf } from "./pyramid";
import { useSlideSession } from "./session";

const SIDE = 80; // pixels of the page
const LEAST_PX = 256; // of level 0, so that a small place is seen in its surroundings

/** A small picture of a place, put together from the pyramid's tiles. */
export function Crop({ box }: { box: Box }): ReactElement {
  const canvas = useRef<HTMLCanvasElement>(null);
  const pyramid = useSlideSession((session) => session.pyramid);
  const { x, y, width, height } = box;
  const square = useMemo(
    () => squareAround({ x, y, width, height }, LEAST_PX),
    [x, y, width, height],
  );
  useEffect(() => {
    const element = canvas.current;
    if (!element || !pyramid) return undefined;
    const stopped = new AbortController();
    const side = Math.round(SIDE * devicePixelRatio);
    element.width = element.height = side;
    for (const tile of tilesOf(pyramid, square, side)) {
      void requestBlob(tile.url, { signal: stopped.signal }).then(async (result) => {
        if (result.is !== "answered") return;
        const picture = await createImageBitmap(result.value);
        if (!stopped.signal.aborted)
          element
            .getContext("2d")
            ?.drawImage(
              picture,
              tile.x,
              tile.y,
              picture.width * tile.scale,
              picture.height * tile.scale,
            );
        picture.close();
      });
    }
    return () => {
      stopped.abort();
    };
  }, [pyramid, square]);
  return <canvas ref={canvas} className="size-20 shrink-0 rounded bg-sunken" aria-hidden="true" />;
}
