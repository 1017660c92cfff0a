// Where the menu is wider than the screen, the page that one is on is in sight.

const menu = document.querySelector(".menu ul");
const current = menu?.querySelector("[aria-current]");
if (current) menu.scrollLeft = current.offsetLeft - (menu.clientWidth - current.offsetWidth) / 2;
