// Splits raw model text into reasoning and answer, for servers that leave the tags in.
#pragma once

#include <string>
#include <string_view>

namespace gpqa {

struct SplitText {
  std::string reasoning;  // all blocks, glued as llama-server glues them
  std::string content;
  bool unclosed = false;  // the text ends inside a thought
  bool parsed =
      true;  // false: not in the format (llama-server answers 500 here); content is then the raw text
};

// Gemma 4: `<|channel>thought` white space TEXT `<channel|>`, repeated, as llama.cpp's peg-gemma4 reads it.
SplitText split_gemma4(std::string_view raw);
// deepseek: `<think>` TEXT `</think>`, repeated; also a text that starts inside a thought (the template
// opened it).
SplitText split_think_tags(std::string_view raw);
// By the tag that comes first: a later one of the other kind is text. Without tags all is content.
SplitText split_reasoning(std::string_view raw);

}  // namespace gpqa
