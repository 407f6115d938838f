import OpenSeadragon from "openseadragon";

/** OpenSeadragon writes one rule into the page, which our policy forbids, unless this stands there. */
function preventInjectedStyle(): void {
  if (document.querySelector("style[data-openseadragon-mobile-css]")) return;
  const style = document.createElementNS(null, "style"); // of no namespace, and so no real one
  style.setAttribute("data-openseadragon-mobile-css", "true");
  document.head.append(style);
}

/** A viewer as all of the page's are: without motion where none is wanted, and leaving letters to the page. */
export function openViewer(
  element: HTMLElement,
  label: string,
  options: OpenSeadragon.Options,
): OpenSeadragon.Viewer {
  preventInjectedStyle();
  const prefersReducedMotion = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const viewer = OpenSeadragon({
    element,
    drawer: "canvas",
    showNavigationControl: false,
    gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
    animationTime: prefersReducedMotion ? 0 : 0.5,
    minZoomImageRatio: 0.8,
    visibilityRatio: 0.5,
    ...options,
  });
  viewer.canvas.setAttribute("role", "application");
  viewer.canvas.setAttribute("aria-label", label);
  viewer.addHandler("canvas-key", (event) => {
    const { key } = event.originalEvent;
    // The viewer's own letters (turn, flip) would take the page's.
    if (/^[a-z]$/i.test(key)) event.preventDefaultAction = true;
  });
  return viewer;
}
