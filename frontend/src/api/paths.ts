/** The service's paths, all below its own origin; `npm run dev` proxies these to it. */
export const PATHS = {
  predict: "/predict",
  health: "/health",
  reviews: "/reviews",
  slides: "/slides",
} as const;
