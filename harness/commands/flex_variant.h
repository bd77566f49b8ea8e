// --flex-variant, of the commands that extract answers.
#pragma once

#include <CLI/CLI.hpp>

#include "scoring/extract_answer.h"

namespace gpqa {

inline void add_flex_variant(CLI::App& app, FlexVariant& variant) {
  app.add_option(
         "--flex-variant", variant,
         "in which order flexible-extract tries the choices: longest first (0.4.13) or as listed (0.4.12)")
      ->type_name("VERSION")
      ->default_str("0.4.13")
      ->transform(CLI::Transformer(std::map<std::string, FlexVariant>{{"0.4.12", FlexVariant::v0_4_12},
                                                                      {"0.4.13", FlexVariant::v0_4_13}})
                      .description(""));
}

}  // namespace gpqa
