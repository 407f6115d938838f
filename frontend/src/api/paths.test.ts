import { expect, it } from "vitest";

import config from "../../vite.config";
import { PATHS } from "./paths";

it("while developing, every path that the page requests is proxied to the service", () => {
  expect(Object.keys(config.server?.proxy ?? {}).sort()).toEqual([
    "/health",
    "/predict",
    "/reviews",
    "/slides",
  ]);
  expect(Object.values(PATHS).sort()).toEqual(["/health", "/predict", "/reviews", "/slides"]);
});
