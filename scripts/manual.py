"""Reads the C API out of its header: the parts that man pages and the site are made of."""

import re


def comment_of(text):
  """A comment's lines without the stars."""
  return [re.sub(r"^\s*\* ?", "", line).rstrip() for line in text.strip().splitlines()]


def paragraphs(lines):
  """Paragraphs as text in one line."""
  blocks = re.split(r"\n\s*\n", "\n".join(lines).strip())
  return [" ".join(block.split()) for block in blocks if block.strip()]


class Entry:
  """A comment, cut at its tags."""

  def __init__(self, text):
    self.params, self.tags = [], {}
    about, target = [], None
    for line in comment_of(text):
      tag = re.match(r"@(\w+) ?(.*)", line)
      if not tag:
        (about if target is None else target).append(line)
      elif tag[1] == "param":
        name, what = tag[2].split(" ", 1)
        target = [what]
        self.params.append((name, target))
      else:
        target = self.tags[tag[1]] = [tag[2]]
    self.about = paragraphs(about)

  def tag(self, name):
    return " ".join(paragraphs(self.tags.get(name, [])))


class Header:
  def __init__(self, text):
    self.version = ".".join(re.findall(r"^#define NSWS_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)$", text, re.M))
    self.overview = re.search(r"^/\*\n(.*?)\*/", text, re.S)[1]
    body = text[text.index("#define NETSTACK_WEBSOCKET_H"):]
    self.functions, self.structs, self.callbacks, self.codes = {}, {}, {}, {}
    for comment, declaration in re.findall(r"^/\*\*\n(.*?)\*/\n(.*?)(?=\n\n)", body, re.S | re.M):
      self.take(comment, declaration.strip())

  def take(self, comment, declaration):
    entry = Entry(comment)
    entry.declaration = declaration
    kinds = (
      (r"#define (NSWS_\w+)", self.codes),
      (r"typedef struct (nsws_\w+) \{", self.structs),
      (r"typedef [^{]*\(\*(nsws_\w+)\)", self.callbacks),
      (r"(?:const )?\w+ \*?(nsws_\w+)\(", self.functions),
    )
    for pattern, kind in kinds:
      found = re.match(pattern, declaration)
      if found:
        kind[found[1]] = entry
        return

  def members(self, struct):
    """Declaration and comment of each member."""
    inside = self.structs[struct].declaration.split("{", 1)[1].rsplit("}", 1)[0]
    return [(code.strip(), Entry(text)) for text, code in re.findall(r"/\*\*\n(.*?)\*/\n([^;]*;)", inside, re.S)]


def first_sentence(text):
  """What a thing is or does, without what follows a colon or semicolon; the name of an event has a colon of its own."""
  event, rest = re.fullmatch(r"(`\w+`: )?(.*)", text).groups(default="")
  sentence = re.split(r"(?<=[a-z)`])[.:;](?: |$)", rest, maxsplit=1)[0]
  return event + (sentence if sentence[1:2].isupper() else sentence[:1].lower() + sentence[1:])


def results_of(header, entry):
  """Each result and what it means; those that the function does not explain are explained as everywhere. Or just a sentence."""
  text = entry.tag("return")
  results = re.split(r"; (?=NSWS_)", text)
  if not results[0].startswith("NSWS_"):
    return None, text[:1].upper() + text[1:] + "."
  out = []
  for result in results:
    name, _, why = result.partition(": ")
    why = why or (header.codes[name].about[0] if name in header.codes else "")
    why = why[:1].upper() + why[1:]
    out.append((name, why if why.endswith(".") else why + "."))
  return out, None


def callbacks_of(header, entry):
  """The callback types that a function takes."""
  return [it for it in dict.fromkeys(re.findall(r"nsws_\w+_fn", entry.declaration)) if it in header.callbacks]


def notes_of(header, entry):
  notes = [header.callbacks[it].about[0] for it in callbacks_of(header, entry) if it != "nsws_free_fn"]
  return [*notes, *filter(None, [entry.tag("note")])]


def related(header, name, entry):
  """The functions and structs that an entry speaks of, in its order."""
  text = " ".join(entry.about) + entry.declaration + str(entry.params) + str(entry.tags)
  text += " ".join(header.callbacks[it].declaration for it in re.findall(r"nsws_\w+_fn", entry.declaration) if it in header.callbacks)
  words = re.findall(r"\bnsws_\w+", text)
  found = [word for word in words if word != name and (word in header.functions or word in header.structs)]
  return list(dict.fromkeys(found))


def overview_of(header):
  """The header's overview, in pieces: (text in one line, None) or (None, a program). Without what is about the file itself."""
  block, is_code = [], False
  for line in [*comment_of(header.overview[header.overview.index(" * Objects."):]), "end"]:
    indented = line.startswith("    ") or (is_code and not line)
    if block and (indented != is_code or not (line or is_code)):
      text = "\n".join(block).strip("\n")
      if text:
        yield (None, re.sub(r"^    ", "", text, flags=re.M)) if is_code else (" ".join(text.split()), None)
      block = []
    is_code = indented
    block.append(line)
