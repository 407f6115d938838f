import { useSyncExternalStore } from "react";

/** A place on a slide: the middle in pixels of level 0, and screen pixels for each of those. */
export interface SlideView {
  x: number;
  y: number;
  z: number;
}

export type Route =
  { page: "tiles" } | { page: "slides" } | { page: "slide"; id: string; view: SlideView | null };

export const SLIDES_HREF = "#/slides";
export const TILES_HREF = "#/";

export function slideHref(id: string, view: SlideView | null = null): string {
  const path = `${SLIDES_HREF}/${encodeURIComponent(id)}`;
  if (!view) return path;
  const { x, y, z } = view;
  return `${path}?x=${Math.round(x)}&y=${Math.round(y)}&z=${Number(z.toPrecision(4))}`;
}

/** What an address asks for; what is no slide's is the tiles', as ever. */
export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [first, id] = path.split("/");
  if (first !== "slides") return { page: "tiles" };
  if (!id) return { page: "slides" };
  return { page: "slide", id: decoded(id), view: viewOf(new URLSearchParams(query)) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function viewOf(query: URLSearchParams): SlideView | null {
  const [x, y, z] = ["x", "y", "z"].map((name) => Number.parseFloat(query.get(name) ?? ""));
  const whole = [x, y, z].every(Number.isFinite) && (z ?? 0) > 0;
  return whole ? { x: x ?? 0, y: y ?? 0, z: z ?? 1 } : null;
}

export function navigate(href: string): void {
  location.hash = href;
}

/** Write the view into the address without another entry in the history, and without an event. */
export function replaceView(id: string, view: SlideView): void {
  history.replaceState(history.state, "", slideHref(id, view));
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => location.hash);
  return parseRoute(hash);
}

function subscribe(changed: () => void): () => void {
  addEventListener("hashchange", changed);
  return () => {
    removeEventListener("hashchange", changed);
  };
}
