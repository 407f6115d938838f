import { describe, expect, it } from "vitest";

import { refusedOutcome } from "./predict";

const problem = {
  type: "urn:x",
  title: "Too many",
  detail: "Wait.",
  status: 429,
  code: "queue_full",
  request_id: "1",
};

describe("refusedOutcome", () => {
  it("keeps the service's own words", () => {
    expect(refusedOutcome(422, JSON.stringify(problem), null)).toEqual({
      is: "refused",
      problem: { ...problem, retryable: false },
    });
  });

  it.each([
    ["7", 7],
    [null, 5],
    ["soon", 5],
    ["0", 1],
  ])("waits as Retry-After says: %s", (header, seconds) => {
    expect(refusedOutcome(429, JSON.stringify(problem), header)).toMatchObject({
      retryAfter: seconds,
    });
    expect(refusedOutcome(503, "", header)).toMatchObject({ retryAfter: seconds });
  });

  it("takes the service's word for whether the picture may be sent again", () => {
    const unsound = { ...problem, status: 503, code: "model_unsound", retryable: false };
    expect(refusedOutcome(503, JSON.stringify(unsound), "5")).toEqual({
      is: "refused",
      problem: unsound,
    });
    const late = { ...problem, status: 504, code: "deadline_exceeded", retryable: true };
    expect(refusedOutcome(504, JSON.stringify(late), "9")).toEqual({
      is: "refused",
      problem: late,
      retryAfter: 9,
    });
  });

  it("reads Retry-After as a date", () => {
    const inTwoMinutes = new Date(Date.now() + 120_000).toUTCString();
    const outcome = refusedOutcome(429, "", inTwoMinutes);
    const seconds = "retryAfter" in outcome ? outcome.retryAfter : undefined;
    expect(seconds).toBeGreaterThan(110);
    expect(seconds).toBeLessThanOrEqual(120);
  });

  it.each(["", "<html>", "null", "[]", "{}"])("shows nothing of a proxy's page: %j", (body) => {
    expect(refusedOutcome(502, body, null)).toMatchObject({
      problem: { code: "http_502", detail: "" },
    });
  });
});
