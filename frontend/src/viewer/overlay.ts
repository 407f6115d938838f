import OpenSeadragon from "openseadragon";

import type { Window } from "../api/types";
import { percent } from "../view/numbers";

/** Windows of a picture, in pixels of that picture as it was read. */
export interface WindowedPicture {
  windows: readonly Window[];
  width: number;
  height: number;
}

/** Draw each window's edge and probability over the picture, once it is open. Returns how to take them away. */
export function drawWindows(viewer: OpenSeadragon.Viewer, picture: WindowedPicture): () => void {
  const elements = picture.windows.map(elementOf);
  const place = (): void => {
    const item = viewer.world.getItemAt(0);
    const { x: width, y: height } = item.getContentSize();
    picture.windows.forEach((window, at) => {
      const { left, top, right, bottom } = sharesOf(window, picture);
      const rectangle = new OpenSeadragon.Rect(
        left * width,
        top * height,
        (right - left) * width,
        (bottom - top) * height,
      );
      const element = elements[at];
      if (element)
        viewer.addOverlay({
          element,
          location: item.imageToViewportRectangle(rectangle),
          checkResize: false,
        });
    });
  };
  if (viewer.isOpen()) place();
  else viewer.addOnceHandler("open", place);
  return () => {
    viewer.removeHandler("open", place);
    for (const element of elements) viewer.removeOverlay(element);
  };
}

/** Edges as shares of the picture: a browser may draw it at another size than the service read. */
export function sharesOf(
  { x, y, width, height }: Window,
  whole: { width: number; height: number },
): Record<"left" | "top" | "right" | "bottom", number> {
  return {
    left: x / whole.width,
    top: y / whole.height,
    right: (x + width) / whole.width,
    bottom: (y + height) / whole.height,
  };
}

/** The same stands in words beside the picture, so these are for the eye alone. */
function elementOf({ probability, verdict }: Window): HTMLElement {
  const element = document.createElement("div");
  element.className = `window window-${verdict}`;
  element.setAttribute("aria-hidden", "true");
  const label = document.createElement("span");
  label.textContent = percent(probability);
  element.append(label);
  return element;
}
