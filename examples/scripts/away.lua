-- away.lua: answers who mentions you while you are away, once per person and day.
ot.register { version = "1.0", description = "answers for you while you are away", needs = { "send", "storage" } }

local config = ot.config { text = "I am away" }

ot.command {
  name = "away", usage = "[TEXT]", help = "has who mentions you answered from now on", example = "/away at lunch until 2",
  run = function(call)
    ot.store.set("away", call.line ~= "" and call.line or config.text)
    ot.store.delete("answered")
    return "you are away: " .. ot.store.get("away") .. " (/back ends it)"
  end,
}

ot.command {
  name = "back", help = "ends /away",
  run = function()
    ot.store.delete("away")
    return "welcome back"
  end,
}

ot.on("mention", function(m)
  local text = ot.store.get("away")
  if not text or not m.live or m.auto or m.own then return end
  local today, answered = ot.date("%F"), ot.store.get("answered", {})
  if answered[m.fingerprint] == today then return end
  answered[m.fingerprint] = today
  ot.store.set("answered", answered)
  ot.reply(m.from .. ": " .. text)
end)

function test_once_per_person()
  ot.test.command("/away at lunch")
  ot.test.receive { from = "bob", text = "me: there?", mention = true }
  ot.test.receive { from = "bob", text = "me: hello?", mention = true }
  local sent = ot.test.sent()
  assert(#sent == 1 and sent[1].text == "bob: at lunch")
  ot.test.receive { from = "eve", text = "me: there?", mention = true }
  assert(#ot.test.sent() == 1)
end

function test_never_to_programs_nor_to_the_past()
  ot.test.command("/away")
  ot.test.receive { text = "me: ping", mention = true, auto = true }
  ot.test.receive { text = "me: old", mention = true, live = false }
  ot.test.receive { text = "nothing about anybody" }
  assert(#ot.test.sent() == 0)
end

function test_back()
  ot.test.command("/away")
  ot.test.command("/back")
  ot.test.receive { text = "me: there?", mention = true }
  assert(#ot.test.sent() == 0)
end
