"""Pickles of one small RouterBench table by older versions of pandas (zlib, base 85): ``DataFrame.to_pickle`` of each."""

PICKLES = {
    2: (
        "c-nPT+j<m55T4zf$bg7=01-9B!!D5wBq**LTm>Y;$VOYyQCP>Gna<9bIsMbUkoC)c>P0r>HN4~V#!Iiw3-~C$fp+)IstGz5Q`Obg"
        "Re$}})j!nzoTdTgmY)^OS}$nA%xhH8>so_x_D9r)s5hNS!!X>WS72h_i6|AUNNLQigr>B|3T|GBGk@b&xiT?1c6Z~*<Nx@ZZa>W<"
        "e<NnDrw*8y^3#5j56ZYnKNb-!3OX>|g85m>MbY<#iRseIlri-#W^7{{hkV!10_Jm*rAjd|>(nG-52iCMWlTksF5&P9M+hF<!BK+8"
        "n|95fu<Iint3n21kjs-#ICXhqy@lhu4|eb*!Bb6pLPuM{)16M|=AZJ@Kid#^#@h{Not82F_I_zs%CFxqUOm0{^WIOFPCaT`Xw&7}"
        "7Z!edc(IKWp~Q8P;8}rFUN{}<ik=H4%+mzVYna=3AuMr4Exf33%@LfDxWY#f&1*y_rSC+AX{M5gDv6g=#+M0R5qQ<J>pN%=G{dQJ"
        "?z1ZQ0>Nu4_l%<GT$O#Tg+-O!A~-*0WeXSfV`vL3dAnUKH=W~hKS|>LqPz|wO9s|G8e2=a=$LB5%X2GW_pD{S?i`keJB_uJ&FwvG"
        "H@bMkIjSx6ZrV6EH}5t0d>5CTBL@QFO?@*}D704Fzn2BBw*M#<XG#azlmXxBREvRJyj|(vN&OvNMS>MAQ(R^O@BZC~w&LPFg7-BS"
        "+qe>*+23%(s8zCF$;nDiRdTwLvt#<ND*CSxd?0XL)4xja;RrXnxY;}~T>;x<-0~=Arkk?+?hR!zVgJ8d<?+!Fx5}vv<T#@<u4hfv"
        "^D)6EsvdJ2Bs?!$^=Z>l=r~PsIgn9+&-B>jMV90OxAi8Iy>nCfEa3BSCA{n$Q><+za@t}!qCA%~%J79Yrw7eW*|;r{2^qxCxWJd%"
        "l>XcFmA<uEL466Lj36?%$ohgw1$Sg)?s~c=4WnD$BJHOQU-w6F3BC#co1TKEJ!TU1uSlXpc+Ifus6mN>P5Am+a6t=!z&3O$F0vfV"
        "u2&0|W8JRFL_LC#jSvxhTRx8R^}vQ^N-?gVQp9@gCQMM>hNO#B=b%Cq9N7@LCfZ$(X^#U#6wV2?9mm;y?gsrlj(jT1kEzFE4*r1m"
        "J?k&YYPM+"
    ),
    5: (
        "c-n1LPfyf96yLwBzy^^-1Y?wN*_A+pm>3QwHDV-ET@n&cNSbLoyKU%9o0%!F2BIE7Nan`K$uGd?@C*1Eyn5m2P2bEG-9;v8e{b4("
        "zj^QX-pt49m#>wA8S++&Xn?roCk$I{h6q-2_yrQ^rLj-d!%yl!HD$#m9j4^{{^b!Bm{AmSiy(?Rm~kcR&*Q}3e$$(SyPV8D+&J?1"
        "KNlr$x*1I)e>=vmr+xI|37V0#+hYe4v&dI+)NQkbcv-t`7@KE{h5m72_wd(;g_V0he>}N+Wj<%4rMHW7=Z|eAtA-yi5ZzQ~Crj;R"
        "b#nY!ZK$SGmc^&4)oQK%hGAY#K`75DJEbEfiz`aNvT&?<HkEH(&asx`jT}`tAxlvoaX5J$?V$>%HKkM1%feB4yDxo`#UetCAqcnb"
        "GVCXm3zqo;q7KJp4Ma6RPnA<RR4YYK_4X<{H65;wV0|F9{VS>25W~q9ly-uUI9q^<iG*~m9TZ!SlpG;mnpy$gv6i3$n~imfXTF`="
        "jV&d|HXG<2ZOqTidJR4cAL{)CN>;S1TD8CT#8|a2@?NWMHuiv^rH!s;0(`HrNZ_FgLquBM<-*`7=2*%x@7+Q*$DtgD|H}WssSS#I"
        "q;#fJgWVh8J<Kf+ap?IGm*QRbmHws$UX#^J+jM^bCqjkIa88RI&R<GB0+S^p;xI=fg;tINC5KYz*Hpkk!l0&0^+5{l@R=MZ`y>f)"
        "4CUl0)D!j{r~iGblYNm0aP$)nBy~D4ok|$;VWXaxNL-d=0)t`XlNGZYl+XM&lk7-$*K0X_UG@yoj$Xf^u`lJ&mE|bdgBo#xn1Cje"
        "6)ut#^wb6hqiBe+e!=ws2MQ9_I$ho(F2MpB;dH5y5O6;nfI4nFMjd0`L2;byayQ7*IPwvs5hD-7<#5b1&-w#b0;<g"
    ),
}
"""By protocol of pickle; pandas 1.5.3, 2.0.3 and 2.3.3 write the same bytes."""
