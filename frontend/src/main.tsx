import "./styles.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./App";
import { restore } from "./session/keep";
import { pump } from "./session/queue";
import { watch } from "./session/service";
import { warnBeforeLoss } from "./session/unsaved";
import { Mishap } from "./view/Mishap";
import { applyTheme } from "./view/theme";

applyTheme();
const root = document.getElementById("root");
if (root)
  createRoot(root).render(
    <StrictMode>
      <Mishap>
        <App />
      </Mishap>
    </StrictMode>,
  );
warnBeforeLoss();
void restore().finally(() => {
  watch(pump);
});
