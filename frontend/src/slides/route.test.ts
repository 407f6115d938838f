import { expect, it } from "vitest";

import { parseRoute, slideHref } from "./route";

it.each([
  ["", { page: "tiles" }],
  ["#/", { page: "tiles" }],
  ["#result", { page: "tiles" }],
  ["#/slides", { page: "slides" }],
  ["#/slides/", { page: "slides" }],
  ["#/slides/ab12", { page: "slide", id: "ab12", view: null }],
  ["#/slides/%", { page: "slide", id: "%", view: null }],
  [
    "#/slides/ab12?x=10&y=20.5&z=0.25",
    { page: "slide", id: "ab12", view: { x: 10, y: 20.5, z: 0.25 } },
  ],
  ["#/slides/ab12?x=10&y=nowhere&z=1", { page: "slide", id: "ab12", view: null }],
  ["#/slides/ab12?x=10&y=1&z=0", { page: "slide", id: "ab12", view: null }],
])("the address %s", (hash, route) => {
  expect(parseRoute(hash)).toEqual(route);
});

it("a view that is sent to a colleague is the one that they see", () => {
  const view = { x: 12345, y: 678, z: 0.125 };
  expect(parseRoute(slideHref("ab12", view))).toEqual({ page: "slide", id: "ab12", view });
});
