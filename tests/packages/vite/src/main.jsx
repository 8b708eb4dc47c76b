import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Projects } from "../../react/projects.jsx";

const settings = await (await fetch("/config.json")).json();
createRoot(document.getElementById("root")).render(
  <StrictMode>
    <Projects {...settings} />
  </StrictMode>,
);
