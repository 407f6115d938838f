import { PATHS } from "../../api/paths";
import type { SlideFilter } from "./types";

const of = (id: string): string => `${PATHS.slides}/${encodeURIComponent(id)}`;

/** Where the service has what of its slides. Pictures and files need the key as everything does. */
export const SLIDE_PATHS = {
  all: PATHS.slides,
  readings: `${PATHS.slides}/reading`,
  listEvents: `${PATHS.slides}/events`,
  reviewsCsv: `${PATHS.slides}/reviews.csv`,
  slide: of,
  reading: (id: string) => `${of(id)}/reading`,
  events: (id: string) => `${of(id)}/events`,
  regions: (id: string) => `${of(id)}/regions`,
  regionsGeojson: (id: string) => `${of(id)}/regions.geojson`,
  tilesParquet: (id: string) => `${of(id)}/tiles.parquet`,
  unread: (id: string) => `${of(id)}/unread.geojson`,
  report: (id: string) => `${of(id)}/report.pdf`,
  reviews: (id: string) => `${of(id)}/reviews`,
  thumbnail: (id: string) => `${of(id)}/thumbnail.jpeg`,
  /** The slide's pyramid, for OpenSeadragon. */
  dzi: (id: string) => `${of(id)}.dzi`,
  /** The map's; another version is another picture of the same place. */
  mapDzi: (id: string, version = 0) => `${of(id)}/map.dzi?v=${version}`,
  tile: (id: string, x: number, y: number) =>
    `${of(id)}/tile?x=${Math.round(x)}&y=${Math.round(y)}`,
} as const;

export function listPath(filter: SlideFilter, page: number, perPage: number): string {
  const fields = { ...filter, page, per_page: perPage };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields))
    if (value !== null && value !== "") query.set(name, String(value));
  return `${PATHS.slides}?${query}`;
}
