/** Where the service is asked, all below its own origin; `npm run dev` hands these on to it. */
export const PATHS = { predict: "/predict", health: "/health", reviews: "/reviews" } as const;
