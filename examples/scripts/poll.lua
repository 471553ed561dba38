-- poll.lua: /poll Lunch? | pizza | soup asks the round; people vote with +1, +2, …, the last vote of each counts; /poll end tells.
ot.register { version = "1.0", description = "asks a round", needs = { "send", "storage" } }

local function result(p)
  local counts, lines = {}, {}
  for _, n in pairs(p.votes) do counts[n] = (counts[n] or 0) + 1 end
  for i, answer in ipairs(p.answers) do lines[i] = ("%d× %s"):format(counts[i] or 0, answer) end
  return p.question .. " " .. table.concat(lines, ", ")
end

local function vote(m)
  local p, n = ot.store.get(m.tag), tonumber(m.text:match("^%+(%d+)%s*$") or "")
  if p and n and p.answers[n] then
    p.votes[m.fingerprint] = n
    ot.store.set(m.tag, p)
  end
end

ot.on("message", vote)
ot.on("sent", function(m)
  if m.state == "sent" then vote(m) end
end)

local function tag_of(round)
  for _, r in ipairs(ot.rounds()) do
    if r.round == round then return r.tag end
  end
end

ot.command {
  name = "poll", usage = "[QUESTION | ANSWER | ANSWER … ; end]", help = "asks the round, tells how it stands, ends it",
  example = "/poll Lunch? | pizza | soup",
  run = function(call)
    local tag = tag_of(call.round)
    if not tag then return nil, "there is no round" end
    local p = ot.store.get(tag)
    if call.line == "" then return p and result(p) or "no poll: /poll QUESTION | ANSWER | ANSWER" end
    if call.line == "end" then
      if not p then return nil, "no poll" end
      ot.store.delete(tag)
      ot.send(tag, "result: " .. result(p))
      return
    end
    local parts = {}
    for part in call.line:gmatch("[^|]+") do parts[#parts + 1] = part:match("^%s*(.-)%s*$") end
    if #parts < 3 then return nil, "a question and at least two answers, with | between them" end
    local text, question = {}, table.remove(parts, 1)
    for i, answer in ipairs(parts) do text[i] = ("+%d %s"):format(i, answer) end
    ot.store.set(tag, { question = question, answers = parts, votes = {} })
    ot.send(tag, question .. " " .. table.concat(text, "  "))
  end,
}

function test_counts_the_last_vote_of_each()
  ot.test.command("/poll Lunch? | pizza | soup")
  assert(ot.test.sent()[1].text == "Lunch? +1 pizza  +2 soup")
  ot.test.receive { from = "bob", text = "+1" }
  ot.test.receive { from = "bob", text = "+2" }
  ot.test.receive { from = "eve", text = "+2" }
  ot.test.receive { from = "eve", text = "+9" }
  ot.test.receive { from = "eve", text = "this is no vote" }
  ot.test.say("+1")
  ot.test.command("/poll end")
  assert(ot.test.sent()[1].text == "result: Lunch? 1× pizza, 2× soup")
end
