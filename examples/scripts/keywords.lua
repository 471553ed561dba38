-- keywords.lua: rings when somebody says a word that you wait for.
ot.register { version = "1.0", description = "rings for words", needs = { "notify", "storage" } }

local function words() return ot.store.get("words", {}) end

ot.command {
  name = "keyword", usage = "[add|remove WORD]", help = "lists the words that ring, adds one, takes one away",
  example = "/keyword add deploy", max = 2,
  run = function(call)
    local what, word, all = call.args[1], (call.args[2] or ""):lower(), words()
    if not what then
      local list = {}
      for w in pairs(all) do list[#list + 1] = w end
      table.sort(list)
      return #list > 0 and table.concat(list, ", ") or "no words yet: /keyword add WORD"
    end
    if word == "" or (what ~= "add" and what ~= "remove") then return nil, "usage: /keyword [add|remove WORD]" end
    all[word] = what == "add" or nil
    ot.store.set("words", all)
    return word .. (what == "add" and " rings" or " does not ring any more")
  end,
  complete = function(args)
    if #args == 1 then return { "add", "remove" } end
    local list = {}
    if args[1] == "remove" then
      for w in pairs(words()) do list[#list + 1] = w end
    end
    return list
  end,
}

ot.on("message", function(m)
  if not m.live or m.own then return end
  local said = {}
  for w in m.text:lower():gmatch("[%w\128-\255_-]+") do said[w] = true end
  for w in pairs(words()) do
    if said[w] then
      ot.notify(("%s in %s: %s"):format(m.from, m.round, m.text))
      return
    end
  end
end)

function test_rings_for_the_word_and_not_for_a_part_of_one()
  ot.test.command("/keyword add deploy")
  ot.test.receive { text = "Deploy at noon" }
  ot.test.receive { text = "deployment is hard" }
  assert(#ot.test.notified() == 1)
end

function test_list_and_remove()
  assert(ot.test.command("/keyword")[1]:find("no words"))
  ot.test.command("/keyword add tea")
  assert(ot.test.command("/keyword")[1] == "tea")
  ot.test.command("/keyword remove tea")
  ot.test.receive { text = "tea!" }
  assert(#ot.test.notified() == 0)
end
