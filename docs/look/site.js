// Material makes a landmark of every copy button, and lets what is wide scroll for a mouse alone.
function mend() {
  for (const [nth, nav] of document.querySelectorAll("nav.md-code__nav").entries()) nav.ariaLabel = `Code ${nth + 1}`;
  for (const wide of document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])")) {
    wide.tabIndex = 0;
    wide.setAttribute("role", "group");
    wide.setAttribute("aria-label", "Scrolls sideways");
  }
}
new MutationObserver(mend).observe(document.documentElement, { childList: true, subtree: true });
mend();
