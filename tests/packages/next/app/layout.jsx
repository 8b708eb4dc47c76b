export const metadata = { title: "Next.js" };

/** Keeps what goes wrong, such as a page that differs from what the server rendered, for whoever looks. */
const KEEP = "window.errors = []; addEventListener('error', ({ message }) => errors.push(message));";

export default function Layout({ children }) {
  return (
    <html lang="en">
      <head>
        <link rel="icon" href="data:," />
        <script dangerouslySetInnerHTML={{ __html: KEEP }} />
      </head>
      <body>{children}</body>
    </html>
  );
}
