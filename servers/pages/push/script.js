addEventListener("load", () => setTimeout(() => {
  const page = performance.getEntriesByType("navigation")[0];
  document.getElementById("loaded").textContent =
    `Loaded over ${page.nextHopProtocol} in ${page.loadEventEnd.toFixed(0)} ms.`;
}));
