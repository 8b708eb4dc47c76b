"use client";
export { Projects } from "../../react/projects.jsx";
