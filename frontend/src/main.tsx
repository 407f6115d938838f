import "./styles.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./App";
import { restoreWorklist } from "./session/persistence";
import { sendWaiting } from "./session/queue";
import { startHealthChecks } from "./session/health";
import { warnBeforeLoss } from "./session/unsaved";
import { ErrorBoundary } from "./view/ErrorBoundary";
import { applyTheme } from "./view/theme";

applyTheme();
const root = document.getElementById("root");
if (root)
  createRoot(root).render(
    <StrictMode>
      <ErrorBoundary>
        <App />
      </ErrorBoundary>
    </StrictMode>,
  );
warnBeforeLoss();
void restoreWorklist().finally(() => {
  startHealthChecks(sendWaiting);
});
