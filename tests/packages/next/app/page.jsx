import { Projects } from "./projects.jsx";

// Rendered at each request, by the settings that the server has then.
export const dynamic = "force-dynamic";

export default function Page() {
  return <Projects clientId={process.env.LATCHKEY_CLIENT_ID} platform={process.env.LATCHKEY_PLATFORM} />;
}
