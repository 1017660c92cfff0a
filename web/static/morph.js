// Works fresh HTML into what is shown with as little change as possible: focus, selection and what is
// open stay. Elements with the same data-key are the same thing.

export function matchChildren(present, wanted) {
  const old = [...present.childNodes];
  const fresh = [...wanted.childNodes];
  fresh.forEach((node, index) => {
    if (index >= old.length) present.append(node);
    else if (alike(old[index], node)) match(old[index], node);
    else old[index].replaceWith(node);
  });
  old.slice(fresh.length).forEach((node) => node.remove());
}

function alike(present, wanted) {
  return present.nodeName === wanted.nodeName && present.dataset?.key === wanted.dataset?.key;
}

function match(present, wanted) {
  if (present.nodeType !== Node.ELEMENT_NODE) {
    if (present.data !== wanted.data) present.data = wanted.data;
    return;
  }
  for (const { name } of [...present.attributes]) {
    if (!wanted.hasAttribute(name) && name !== "open") present.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (present.getAttribute(name) !== value) present.setAttribute(name, value);
  }
  matchChildren(present, wanted);
}
